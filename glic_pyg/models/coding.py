"""Coding the latents: one walk over an entropy model, for encoder and decoder alike.

Encoder and decoder differ only in the entropy coder they are given: one writes symbols, the other reads
them. What both must agree on, the means and scales of y, is computed in the precision of what the coder
returns: in float64 for files, by copies of the float32 networks. The networks themselves are only read, so
any number of threads may code with one model. A coder that returns float32 walks the networks as they are,
with gradients.

Three coding orders of y are known: all at once (hyperprior), channel group by channel group in two passes
over a checkerboard (ELIC, arXiv 2203.10886; GLIC), and along wavefronts (autoregressive context). A causal
5x5 context (arXiv 1809.02736) reads two rows above, two columns to either side, and the two places to the
left. Whatever place (r, c) reads therefore lies on an earlier skewed diagonal t = c + 3 r, and the places
of one diagonal can be coded together: w + 3 (h - 1) steps instead of h w, with the result of raster order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from compressai.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from compressai.layers import MaskedConv2d
from compressai.ops import quantize_ste
from torch import Tensor, nn
from torch.nn import functional as F

from glic_pyg.models.base import LATENT_STRIDE, SIDE_STRIDE, EntropyCoder
from glic_pyg.models.checkerboard import SecondHalfContext
from glic_pyg.numerics import at_least_float32
from glic_pyg.progress import steps


def code_latents(
    codec: HyperpriorLatentCodec, coder: EntropyCoder, y: Tensor | None, shape: tuple[int, int]
) -> Tensor:
    """Send or receive z, then y in the order that its entropy model asks for.

    Args:
        codec: side information in ``codec.hyper``; ``codec.y`` is one of CompressAI's classes below.
        coder: writes symbols (``y`` given) or reads them (``y`` is None).
        y: ``(1, M, h, w)`` latents, or None to decode.
        shape: ``(h, w)`` of y.

    Returns:
        y_hat, ``(1, M, h, w)``, of the dtype that the coder returns; equal on both sides.
    """
    bottleneck = codec.hyper.entropy_bottleneck
    rows, columns = side_shape(shape)
    z = None if y is None else codec.hyper.h_a(y)[:, :, :rows, :columns]
    z_hat = coder.factorized(bottleneck, (1, bottleneck.channels, rows, columns), z)
    return _ORDERS[type(codec.y)](codec.y, coder, y, side_information(codec.hyper.h_s, z_hat, shape))


_RATIO = SIDE_STRIDE // LATENT_STRIDE


def side_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of z for those of y: a quarter, to the nearest whole number from 1 on."""
    return max(1, (shape[0] + _RATIO // 2) // _RATIO), max(1, (shape[1] + _RATIO // 2) // _RATIO)


def side_information(h_s: nn.Sequential, z_hat: Tensor, shape: tuple[int, int]) -> Tensor:
    """Run h_s and fit what it says to y, whenever it has doubled the resolution.

    Rows and columns that y lacks are left out. Where z was rounded down, the last ones are repeated.

    Args:
        h_s: doubles the resolution twice.
        z_hat: ``(B, N, h', w')`` with the sides of :func:`side_shape`.
        shape: ``(h, w)`` of y.

    Returns:
        ``(B, C, h, w)``.
    """
    side, stride = z_hat, _RATIO
    for layer in _layers(h_s):
        before = side.shape[2]
        side = run(layer, side)
        if side.shape[2] > before:
            stride //= side.shape[2] // before
            side = _fitted(side, -(-shape[0] // stride), -(-shape[1] // stride))
    return side


def _layers(network: nn.Sequential) -> Iterator[nn.Module]:
    """The layers of a sequence, those of sequences inside it one by one."""
    for layer in network:
        yield from _layers(layer) if isinstance(layer, nn.Sequential) else (layer,)


def _fitted(x: Tensor, height: int, width: int) -> Tensor:
    """``(B, C, H, W)`` cut to a size, or its last row and column repeated."""
    x = x[:, :, :height, :width]
    missing = width - x.shape[3], height - x.shape[2]
    return F.pad(x, (0, missing[0], 0, missing[1]), mode="replicate") if any(missing) else x


def code_at_once(
    codec: GaussianConditionalLatentCodec, coder: EntropyCoder, y: Tensor | None, side: Tensor
) -> Tensor:
    """All of y in one step: its Gaussians follow from the side information alone.

    Args:
        codec: has scales and means, or scales alone; then the means are zero.
        coder, y: as for :func:`code_latents`.
        side: parameters of the Gaussians, ``(1, 2M or M, h, w)``.
    """
    scales, means = side.chunk(2, 1) if "means" in codec.chunks else (side, torch.zeros_like(side))
    return coder.gaussian(means, scales, y)


def code_groups(
    codec: ChannelGroupsLatentCodec, coder: EntropyCoder, y: Tensor | None, side: Tensor
) -> Tensor:
    """Send or receive y through a space-channel context model.

    Args:
        codec: groups of channels, a :class:`CheckerboardLatentCodec` in each.
        coder: writes symbols (``y`` given) or reads them (``y`` is None).
        y: ``(1, M, h, w)`` latents, or None to decode.
        side: what h_s says, ``(1, C, h, w)``.

    Returns:
        y_hat, ``(1, M, h, w)``, equal on both sides.
    """
    y_hat = side[:, :0]
    values = [None] * len(codec.groups) if y is None else y.split(codec.groups, 1)
    for k, group in steps([*enumerate(values)]):
        params = side
        if k > 0:
            params = torch.cat([run(codec.channel_context[f"y{k}"], y_hat), side], 1)
        y_hat = torch.cat([y_hat, _code_group(codec.latent_codec[f"y{k}"], coder, group, params)], 1)
    return y_hat


def _code_group(
    codec: CheckerboardLatentCodec, coder: EntropyCoder, values: Tensor | None, params: Tensor
) -> Tensor:
    """Two passes over a checkerboard: anchors from ``params`` alone, the rest given the anchors."""
    height, width = params.shape[2:]
    there = codec.unembed(even_sided(torch.ones(1, 1, height, width, device=params.device)))[:, 0, 0] > 0
    params = codec.unembed(even_sided(params))
    values = None if values is None else codec.unembed(even_sided(values))
    context = params.new_zeros(1, codec.context_prediction.out_channels, *params.shape[3:])
    network = partial(run, codec.entropy_parameters)
    halves: list[Tensor] = []
    for half in range(2):
        if half:
            context = run(SecondHalfContext(codec.context_prediction), halves[0])
        given, sent = torch.cat([context, params[half]], 1), None if values is None else values[half]
        halves.append(Places(there[half]).code(coder, network, given, sent))
    return codec.embed(torch.stack(halves))[:, :, :height, :width]


def even_sided(x: Tensor) -> Tensor:
    """Append zeros to ``(B, C, H, W)`` where a side is odd."""
    return F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)) if x.shape[3] % 2 or x.shape[2] % 2 else x


class Places:
    """The places of half a checkerboard that lie on a map: where the map has odd sides, some do not.

    Args:
        there: ``(h, w)`` bool.
    """

    def __init__(self, there: Tensor) -> None:
        self.shape = there.shape
        self.indices = None if there.all() else there.flatten().nonzero().flatten()

    def code(
        self, coder: EntropyCoder, network: Callable[[Tensor], Tensor], given: Tensor, values: Tensor | None
    ) -> Tensor:
        """Send or receive the values of these places.

        Args:
            coder: writes symbols (``values`` given) or reads them (``values`` is None).
            network: pointwise, from what is given to scales, then means.
            given: ``(B, P, h, w)``.
            values: ``(B, C, h, w)`` or None.

        Returns:
            y_hat, ``(B, C, h, w)``, 0 at all other places.
        """
        if self.indices is not None and not len(self.indices):
            return network(given)[:, ::2] * 0
        scales, means = network(self._of(given)).chunk(2, 1)
        return self._put(coder.gaussian(means, scales, None if values is None else self._of(values)))

    def _of(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)`` -> ``(B, C, n, 1)``, or x itself where all places are there."""
        return x if self.indices is None else x.flatten(2)[:, :, self.indices, None]

    def _put(self, values: Tensor) -> Tensor:
        """The inverse of :meth:`_of`, zeros elsewhere."""
        if self.indices is None:
            return values
        nothing = values.new_zeros(*values.shape[:2], self.shape.numel())
        return nothing.index_copy(2, self.indices, values[..., 0]).unflatten(2, self.shape)


def code_wavefronts(
    codec: RasterScanLatentCodec, coder: EntropyCoder, y: Tensor | None, side: Tensor
) -> Tensor:
    """Send or receive y, every place given what is above it and to its left.

    Args:
        codec: a masked convolution and the 1x1 networks that turn context into Gaussians.
        coder: writes symbols (``y`` given) or reads them (``y`` is None).
        y: ``(1, M, h, w)`` latents, or None to decode.
        side: what h_s says, ``(1, 2M, h, w)``.

    Returns:
        y_hat, ``(1, M, h, w)``, equal on both sides.
    """
    context = CausalNeighbours(codec.context_prediction, side)
    parameters = codec.entropy_parameters
    if _needs_float64(parameters, side):
        parameters = float64_network(parameters)
    for rows, columns in wavefronts(side.shape[2], side.shape[3], context.reach):
        front = torch.cat([side[:, :, rows, columns], context.at(rows, columns)], 1)
        scales, means = parameters(front[:, :, None]).chunk(2, 1)
        values = None if y is None else y[:, :, None, rows, columns]
        context.y_hat[:, :, rows, columns] = coder.gaussian(means, scales, values)[:, :, 0]
    return context.y_hat


def wavefronts(height: int, width: int, reach: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows and columns, two int64 ``(n,)`` each, of the diagonals column + (reach + 1) row."""
    skew = reach + 1
    for front in range(width + skew * (height - 1)):
        first = max(0, -((width - 1 - front) // skew))
        rows = torch.arange(first, min(height - 1, front // skew) + 1, device="cpu")
        yield rows, front - skew * rows


class CausalNeighbours:
    """The latents decoded so far, and a masked convolution of them at single places.

    Args:
        conv: kernel of side 2 reach + 1; only its unmasked taps are computed.
        side: gives height, width, device and dtype.

    Attributes:
        y_hat: ``(1, M, h, w)``, zeros where nothing is decoded yet; to be written to.
    """

    def __init__(self, conv: MaskedConv2d, side: Tensor) -> None:
        self.reach = conv.kernel_size[0] // 2
        height, width = side.shape[2:]
        self._padded = side.new_zeros(1, conv.in_channels, height + self.reach, width + 2 * self.reach)
        self.y_hat = self._padded[:, :, self.reach :, self.reach : self.reach + width]
        self._above, self._beside = conv.mask[0, 0].nonzero().cpu().T
        self._weight = conv.weight[:, :, self._above, self._beside].flatten(1).to(side)
        self._bias = conv.bias.to(side)

    def at(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The convolution at n places: ``(1, out_channels, n)``."""
        around = self._padded[0, :, rows[:, None] + self._above, columns[:, None] + self._beside]
        return F.linear(around.transpose(0, 1).flatten(1), self._weight, self._bias).T[None]


def run(module: nn.Module, *inputs: Any) -> Tensor:
    """Run a module in the precision of its inputs: in float64 if there is any, otherwise as it is."""
    return in_float64(module, *inputs) if _needs_float64(module, *inputs) else module(*inputs)


def _needs_float64(module: nn.Module, *inputs: Any) -> bool:
    wide = any(isinstance(x, Tensor) and x.dtype == torch.float64 for x in inputs)
    return wide and any(weight.dtype != torch.float64 for weight in module.parameters())


def float64_network(module: nn.Module) -> Callable[..., Tensor]:
    """A float32 module as a float64 function, its weights converted once, for as long as the function lives.

    For networks that run again and again; the copy takes twice the memory of the module.
    """
    network = _with_parameters(module, lambda weight: weight.detach().double())
    return lambda *inputs: network(*map(_double, inputs))


def in_float64(module: nn.Module, *inputs: Any) -> Tensor:
    """Run a float32 module once on float64 input, converting its weights one layer at a time.

    A converted copy of a whole entropy model would take twice the model's memory; a converted layer
    lives only while it runs.
    """
    if isinstance(module, nn.Sequential):
        (x,) = inputs
        for layer in module:
            x = in_float64(layer, x)
        return x
    return float64_network(module)(*inputs)


def frozen(module: nn.Module) -> Any:
    """The same module, on the same memory, with parameters that ask for no gradient."""
    return _with_parameters(module, Tensor.detach)


def _with_parameters(module: nn.Module, convert: Callable[[Tensor], Tensor]) -> nn.Module:
    """The same module with other parameters; buffers, hooks and settings are shared with the original."""
    twin = copy.copy(module)
    parameters: dict[str, Any] = {n: None if p is None else convert(p) for n, p in module._parameters.items()}
    twin._parameters = parameters
    twin._modules = {
        name: None if m is None else _with_parameters(m, convert) for name, m in module._modules.items()
    }
    return twin


def _double(argument: Any) -> Any:
    """Tensors in float64; an entropy coder or None unchanged."""
    return argument.double() if isinstance(argument, Tensor) else argument


class RateEstimator:
    """A :class:`~glic_pyg.models.base.EntropyCoder` for training and for estimates of the rate.

    Values are rounded around their means, with the gradient of the identity. The likelihoods are those of
    the rounded values, and while ``prior`` is in training those of values with uniform noise instead. Half
    precision is widened to float32 first: bfloat16 does not tell neighbouring integers apart beyond 256.

    Args:
        prior: gives the likelihoods of y.

    Attributes:
        likelihoods: of every call but :meth:`lattice`, in order, each of its values' shape.
    """

    def __init__(self, prior: GaussianConditional) -> None:
        self.prior = prior
        self.likelihoods: list[Tensor] = []

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """z_hat, the shape of ``values``; the argument ``shape`` is of no use here."""
        assert values is not None
        values = at_least_float32(values)
        self.likelihoods.append(bottleneck(values)[1])
        medians = bottleneck.quantiles[:, :, 1:2].detach()
        return quantize_ste(values - medians) + medians

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """y_hat, the shape of ``values``."""
        assert values is not None
        means, scales, values = (at_least_float32(t) for t in (means, scales, values))
        self.likelihoods.append(self.prior(values, scales, means)[1])
        return quantize_ste(values - means) + means

    def lattice(self, values: Tensor) -> Tensor:
        """The values as they are: nobody has to agree with anybody."""
        return values


_ORDERS: dict[type, Callable[[Any, EntropyCoder, Tensor | None, Tensor], Tensor]] = {
    GaussianConditionalLatentCodec: code_at_once,
    RasterScanLatentCodec: code_wavefronts,
    ChannelGroupsLatentCodec: code_groups,
}
