"""Searches latents that cost fewer bits and decode to a better image, by gradient descent, tile by tile.

y, and z where asked, are drawn as :mod:`~glic_pyg.codec.relaxed_coder` describes; rate and distortion of the
sample give the gradient. What the search ends with are real numbers that the ordinary encoder rounds: the
file format and the decoder do not know of it.

A tile is searched with its surroundings held: they are in its maps, so that its latents have their context
and their share of every pixel they reach, but do not move. Memory is that of one tile, whatever the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from glic_pyg.codec.effort import Descent, Progress
from glic_pyg.codec.kept_graphs import KeptGraphs
from glic_pyg.codec.latent_coder import Latents
from glic_pyg.codec.relaxed_coder import RelaxedCoder
from glic_pyg.models.base import LATENT_STRIDE, SIDE_STRIDE, Codec

__all__ = ["ChannelAdam", "LatentSearch", "Tile", "tiles_of"]

TILE_SIDE = 768
"""Pixels that a tile has a side, at most, with what is held around it."""

HALO = 128
"""Pixels around the core of a tile that are held: a multiple of every model's padding."""

_FIRST_TEMPERATURE = 0.5
_LAST_RATE = 0.4
"""Learning rate at the end, over that at the beginning."""
_TRANSIENT = 1.6
"""Memory of a step over what autograd keeps of it; 1.6 to 2.8 was measured over all architectures."""
_LONGEST_WAIT = 25
"""Steps between two looks at the rounded latents, at most."""


@dataclass(frozen=True)
class Tile:
    """A part of the latents: what moves, ``core``, and what is computed, ``crop``; rows and columns of y."""

    core: tuple[slice, slice]
    crop: tuple[slice, slice]


def tiles_of(height: int, width: int) -> list[Tile]:
    """Cover (height, width) latents with tiles of about equal cores, row by row."""
    return [
        Tile((row[0], column[0]), (row[1], column[1])) for row in _spans(height) for column in _spans(width)
    ]


def _spans(size: int) -> Iterator[tuple[slice, slice]]:
    """Cores and crops of one axis; all begin at multiples of the halo, so that z and padding fit.

    A core at the edge of the image is larger than others by a halo: it has one on one side only.
    """
    unit = HALO // LATENT_STRIDE
    least, most = 2 * unit, TILE_SIDE // LATENT_STRIDE
    count = max(1, math.ceil((size - least) / (most - least)))
    side = (size + (count - 1) * least) / count
    bounds = [0, *(unit * math.ceil(i * (side - least) / unit + 1) for i in range(1, count)), size]
    for first, last in pairwise(bounds):
        yield slice(first, last), slice(max(0, first - unit), min(size, last + unit))


class LatentSearch:
    """A search of one image's latents at one quality.

    Args:
        model: with parameters that ask for no gradient.
        synthesise: scaled y_hat ``(1, M, h, w)`` to x_hat, of a tile.
        loss: distortion in bits of ``(x_hat, rows, columns)``, the pixels of a tile; a scalar.
        graphs: of the model.
        generator: where the chance comes from.
    """

    def __init__(
        self,
        model: Codec,
        synthesise: Callable[[Tensor], Tensor],
        loss: Callable[[Tensor, slice, slice], Tensor],
        graphs: KeptGraphs,
        generator: torch.Generator,
    ) -> None:
        self._model, self._synthesise, self._loss = model, synthesise, loss
        self._graphs, self._generator = graphs, generator

    def start(self, y: Tensor) -> Latents:
        """The latents of an encoder that does not search: y as it is, and the z that the model gives it."""
        coder = RelaxedCoder(None, self._generator, None)
        with torch.no_grad():
            self._model.code_latents(coder, y, shape=(y.shape[2], y.shape[3]))
        return Latents(y, coder.z)

    def memory(self, y: Tensor) -> int:
        """Bytes that a step on the largest tile takes at least, by what autograd keeps of a small one."""
        side = min(HALO // LATENT_STRIDE, y.shape[2]), min(HALO // LATENT_STRIDE, y.shape[3])
        small = Tile((slice(0, side[0]), slice(0, side[1])), (slice(0, side[0]), slice(0, side[1])))
        latents = y[:, :, : side[0], : side[1]].detach().requires_grad_()
        weights = {parameter.data_ptr() for parameter in self._model.parameters()}
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            self._cost(small, latents, None, _FIRST_TEMPERATURE)
        places = max(
            (tile.crop[0].stop - tile.crop[0].start) * (tile.crop[1].stop - tile.crop[1].start)
            for tile in tiles_of(y.shape[2], y.shape[3])
        )
        return int(_TRANSIENT * sum(kept.values()) * places / (side[0] * side[1]))

    def run(
        self, start: Latents, descent: Descent, report: Callable[[Progress], bool] | None = None
    ) -> Latents:
        """Search from ``start``; the best found of every tile comes back.

        Args:
            start: not changed; its z is not None.
            descent: how long.
            report: hears of every step, and says whether to go on.
        """
        assert start.z is not None
        found = Latents(start.y.clone(), start.z.clone())
        tiles = tiles_of(found.y.shape[2], found.y.shape[3])
        saved, total = 0.0, len(tiles) * descent.steps
        for index, tile in enumerate(tiles):
            gain = 0.0
            for step, gain in enumerate(self._descend(tile, found, descent), start=1):
                progress = Progress(index * descent.steps + step, total, saved + gain)
                if report is not None and not report(progress):
                    return found
            saved += gain
        return found

    def _descend(self, tile: Tile, found: Latents, descent: Descent) -> Iterator[float]:
        """Search one tile; after every step ``found`` holds its best latents, and the gain is yielded."""
        assert found.z is not None
        y, z = _Part(found.y, tile, LATENT_STRIDE), _Part(found.z, tile, SIDE_STRIDE)
        moving = [y, z] if descent.with_z else [y]
        optimizer = ChannelAdam([part.inside(part.latents.detach()) for part in moving])
        for part in moving:
            part.latents.requires_grad_()
        first = best = self._rounded_cost(tile, y, z)
        wait = min(_LONGEST_WAIT, -(-descent.steps // 4))
        for step in range(descent.steps):
            done = step / descent.steps
            if step % descent.steps_a_graph == 0:
                self._graphs.forget()
            cost = self._cost(tile, y.latents, z.latents, _temperature(done, descent.temperature))
            gradients = torch.autograd.grad(cost, [part.latents for part in moving])
            optimizer.step(
                [part.inside(gradient) for part, gradient in zip(moving, gradients, strict=True)],
                descent.rate * _LAST_RATE**done,
            )
            if (step + 1) % wait == 0 or step + 1 == descent.steps:
                cost_now = self._rounded_cost(tile, y, z)
                if cost_now < best:
                    best = cost_now
                    for part in moving:
                        part.keep()
            yield first - best

    def _rounded_cost(self, tile: Tile, y: _Part, z: _Part) -> float:
        with torch.no_grad(), self._graphs.set_aside():
            return float(self._cost(tile, y.latents, z.latents, None))

    def _cost(self, tile: Tile, y: Tensor, z: Tensor | None, temperature: float | None) -> Tensor:
        """Rate and distortion of a tile in bits; of rounded latents without a temperature."""
        coder = RelaxedCoder(temperature, self._generator, z)
        y_hat = self._model.code_latents(coder, y, shape=(y.shape[2], y.shape[3]))
        rows, columns = (slice(LATENT_STRIDE * p.start, LATENT_STRIDE * p.stop) for p in tile.crop)
        return coder.bits + self._loss(self._synthesise(y_hat.float()), rows, columns)


class _Part:
    """The latents of a tile.

    Args:
        whole: y or z of the image.
        tile: which part.
        stride: of ``whole``, in pixels.

    Attributes:
        latents: a copy of the crop.
    """

    def __init__(self, whole: Tensor, tile: Tile, stride: int) -> None:
        ratio = stride // LATENT_STRIDE
        core, crop = (
            [slice(part.start // ratio, -(-part.stop // ratio)) for part in region]
            for region in (tile.core, tile.crop)
        )
        self._core = whole[:, :, core[0], core[1]]
        self._inner = [
            slice(inner.start - outer.start, inner.stop - outer.start)
            for inner, outer in zip(core, crop, strict=True)
        ]
        self.latents = whole[:, :, crop[0], crop[1]].clone()

    def inside(self, crop: Tensor) -> Tensor:
        """The core of a tensor like the crop, a view."""
        return crop[:, :, self._inner[0], self._inner[1]]

    def keep(self) -> None:
        """Write the core of the latents to the image's."""
        self._core.copy_(self.inside(self.latents.detach()))


def _temperature(done: float, last: float) -> float:
    """Falls geometrically after a fifth of the way, towards ``last``."""
    falling = max(0.0, done - 0.2) / 0.8
    return _FIRST_TEMPERATURE * (last / _FIRST_TEMPERATURE) ** falling


class ChannelAdam:
    """Adam with one step size a channel: the second moment is the mean over a channel's places.

    A step size a place, as Adam has it, makes latents that hardly matter move as fast as those that do, and
    the noise of the draws decides where to.

    Args:
        latents: ``(1, C, h, w)`` each, changed in place.
    """

    _MOMENTUM, _MEMORY, _EPSILON = 0.8, 0.99, 1e-12

    def __init__(self, latents: list[Tensor]) -> None:
        self._latents = latents
        self._first = [torch.zeros_like(tensor) for tensor in latents]
        self._second = [tensor.new_zeros(1, tensor.shape[1], 1, 1) for tensor in latents]
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: list[Tensor], rate: float) -> None:
        """Move the latents against their gradients by about ``rate``, in the mean of a channel."""
        self._steps += 1
        bias1, bias2 = (1 - beta**self._steps for beta in (self._MOMENTUM, self._MEMORY))
        for latents, gradient, first, second in zip(
            self._latents, gradients, self._first, self._second, strict=True
        ):
            first.lerp_(gradient, 1 - self._MOMENTUM)
            second.lerp_(gradient.square().mean((2, 3), keepdim=True), 1 - self._MEMORY)
            latents -= rate * (first / bias1) / ((second / bias2).sqrt() + self._EPSILON)
