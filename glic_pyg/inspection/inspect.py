"""Run a model on one image and keep its graphs, attention layers, bits and reconstruction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from torch_geometric.data import Data

from glic_pyg.codec.determinism import full_precision_inference
from glic_pyg.codec.latent_coder import LatentCoder
from glic_pyg.codec.pixels import padded_size
from glic_pyg.graph import EdgeListBuilder, complexity_map
from glic_pyg.inspection.attention import BlockGraphs, LayerAttention
from glic_pyg.inspection.graphs import GraphArrays, graph_arrays
from glic_pyg.inspection.latent_bits import Bits, coded
from glic_pyg.metrics import pixel_psnr
from glic_pyg.models.base import LATENT_STRIDE, Codec
from glic_pyg.models.gain import BEST_QUALITY
from glic_pyg.nn import GFABlock
from glic_pyg.nn.gfa import GFALayer
from glic_pyg.plotting import map_colours

__all__ = ["Bits", "Inspection", "gfa_blocks", "inspect_image", "logged_maps", "observed"]


@dataclass(frozen=True, eq=False)
class Inspection:
    """What a model did with an image of H x W pixels.

    It is what a file codes and decodes. Maps of blocks of g_a and of the latents cover the image continued to
    multiples of 16; ``BlockGraphs.crop`` and ``Bits.per_pixel`` cut them to the image.

    Attributes:
        name: of the image.
        weights: name of the weights.
        quality: that the image was coded at; None where the model has one rate.
        image: uint8 (H, W, 3).
        decoded: uint8 (H, W, 3), the reconstruction.
        blocks: in the order they ran, those of g_a first; empty where the model has no graphs.
        bits: of every latent.
    """

    name: str
    weights: str
    quality: float | None
    image: NDArray[np.uint8]
    decoded: NDArray[np.uint8]
    blocks: Sequence[BlockGraphs]
    bits: Bits

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        height, width = self.image.shape[:2]
        return height, width

    @property
    def bpp(self) -> float:
        """Bits per pixel of the image."""
        return self.bits.total / (self.size[0] * self.size[1])

    @cached_property
    def psnr(self) -> float:
        """PSNR of the reconstruction in dB; infinite where it equals the image."""
        return pixel_psnr(self.decoded, self.image)

    @cached_property
    def bit_map(self) -> NDArray[np.float32]:
        """(H, W), bits of every pixel."""
        return self.bits.per_pixel(*self.size)

    @cached_property
    def error_map(self) -> NDArray[np.float32]:
        """(H, W), squared error in 8-bit levels, averaged over the colour channels."""
        difference = self.image.astype(np.float32) - self.decoded
        return np.square(difference).mean(axis=2)

    def block(self, name: str) -> BlockGraphs:
        """A block by its name or its title, e.g. ``g_s stage 2``.

        Raises:
            KeyError: there is no such block; the message lists those there are.
        """
        for block in self.blocks:
            if name in (block.name, block.title):
                return block
        raise KeyError(f"there is no block {name!r}, there are {', '.join(b.title for b in self.blocks)}")


def inspect_image(
    model: Any,
    image: NDArray[np.uint8],
    *,
    name: str = "",
    weights: str = "",
    quality: float | None = None,
    precision: Literal["float32", "bf16"] = "float32",
    layers: Collection[int] | None = None,
) -> Inspection:
    """Run a model on an image and record its graphs, bits and reconstruction.

    Latents and reconstruction are those of the file of this image.

    Args:
        model: a codec model in eval mode that writes files.
        image: uint8 (H, W, 3), or (H, W) grey.
        name: of the image, for titles.
        weights: name of the weights, for titles.
        quality: 0 to 100, for models of variable rate; None for the middle.
        precision: ``"bf16"`` takes products in g_a and g_s in bfloat16, as the codec does.
        layers: indices of the attention layers to keep in each block; None for all.
    """
    device = next(model.parameters()).device
    coder, (height, width) = LatentCoder(model, device, precision), image.shape[:2]
    if coder.rates is None:
        quality = None
    elif quality is None:
        quality = BEST_QUALITY / 2
    with observed(model, (height, width), layers=layers) as blocks:
        y = coder.analyse(image)
        with full_precision_inference(device):
            y_hat, bits = coded(model, coder.scale(y, quality))
        decoded = coder.synthesise(y_hat, quality, width, height, grey=image.ndim == 2)
    return Inspection(
        name=name,
        weights=weights,
        quality=quality,
        image=_in_colour(image),
        decoded=_in_colour(decoded),
        blocks=tuple(blocks),
        bits=bits,
    )


def _in_colour(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image if image.ndim == 3 else np.dstack([image] * 3)


def logged_maps(model: Any, x: Tensor) -> dict[str, Tensor]:
    """Coloured maps of complexity, degrees, bits and error for the loggers of a training run.

    Args:
        model: in eval mode; one without graphs gives bits and error alone.
        x: one image, (1, 3, H, W) in [0, 1].

    Returns:
        ``graphs/<block>/complexity``, ``graphs/<block>/<kind of graph>``, ``bits`` and ``error``, each
        (3, h, w) in [0, 1] between its own 1st and 99th percentile; nothing of a model that writes no files.
    """
    if type(model).code_latents is Codec.code_latents:
        return {}
    image = (x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()
    seen = inspect_image(model, image, layers=())
    maps: dict[str, NDArray[Any]] = {"bits": seen.bits.per_position, "error": seen.error_map}
    for block in seen.blocks:
        maps[f"graphs/{block.name}/complexity"] = block.complexity
        for kind, graph in block.graphs.items():
            maps[f"graphs/{block.name}/{kind}"] = graph.degree
    return {name: torch.from_numpy(map_colours(values)).permute(2, 0, 1) for name, values in maps.items()}


def gfa_blocks(part: nn.Module) -> dict[str, GFABlock]:
    """The GFA blocks of a model or of a part of it by their path, in the order of the modules."""
    return {name: module for name, module in part.named_modules() if isinstance(module, GFABlock)}


@contextmanager
def observed(
    model: nn.Module, size: tuple[int, int], *, layers: Collection[int] | None = None
) -> Iterator[list[BlockGraphs]]:
    """A list that fills with the graphs of every GFA block that runs inside the ``with``, in that order.

    Forward hooks read what goes through; they change nothing and are removed afterwards.

    Args:
        model: runs on one image at a time.
        size: height and width of the image, in pixels.
        layers: indices of the attention layers to keep in each block; None for all. A layer costs the memory
            of its input, 4 bytes per node and channel, and so does the block.
    """
    seen: list[BlockGraphs] = []
    with ExitStack() as hooks:
        for name, block in gfa_blocks(model).items():
            for handle in _BlockObserver(name, size, layers, seen).hooks(block):
                hooks.callback(handle.remove)
        yield seen


class _BlockObserver:
    """Forward hooks that record one block while it runs."""

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        wanted: Collection[int] | None,
        seen: list[BlockGraphs],
    ) -> None:
        self._name, self._size, self._wanted, self._seen = name, size, wanted, seen

    def hooks(self, block: GFABlock) -> Iterator[RemovableHandle]:
        """Register the methods below with the block; yields the handles that remove them."""
        yield block.register_forward_pre_hook(self.before_block)
        for layer in block.layers:
            assert isinstance(layer, GFALayer)
            yield layer.register_forward_pre_hook(self.before_layer)
            yield layer.norm_conv.register_forward_hook(self.after_norm)
        yield block.register_forward_hook(self.after_block)

    def before_block(self, _block: GFABlock, inputs: tuple[Any, ...]) -> None:
        """Keep the map that the block builds its graphs from."""
        self._features: Tensor = inputs[0].detach()
        self._graphs: dict[str, GraphArrays] = {}
        self._layers: list[LayerAttention] = []
        self._number = -1

    def before_layer(self, layer: GFALayer, inputs: tuple[Any, ...]) -> None:
        """Keep the graph that the layer was given."""
        graph = inputs[1]
        kind = graph.kind if isinstance(graph, Data) else graph.cells.kind
        if kind not in self._graphs:
            self._graphs[kind] = graph_arrays(graph, self._features)
        self._number, self._layer, self._graph = self._number + 1, layer, self._graphs[kind]

    def after_norm(self, _norm: nn.Module, _inputs: tuple[Any, ...], rows: Tensor) -> None:
        """Keep what the layer attends with: the normalised rows."""
        if self._wanted is None or self._number in self._wanted:
            kept = LayerAttention(self._number, self._graph, self._layer.conv, rows.detach()[0])
            self._layers.append(kept)

    def after_block(self, block: GFABlock, _inputs: tuple[Any, ...], _output: Tensor) -> None:
        """Collect what was kept."""
        complexity = _complexity(block, self._features.float())[0].detach().cpu().numpy()
        stride = _stride(self._name, self._size, complexity.shape)
        rows = self._features[0].flatten(1).T
        self._seen.append(
            BlockGraphs(self._name, stride, complexity, rows, self._graphs, tuple(self._layers))
        )
        del self._features, self._layer, self._graph


def _stride(name: str, size: tuple[int, int], shape: tuple[int, ...]) -> int:
    """Pixels a node of a block's map: g_a computes multiples of 16 pixels, g_s no more than the image."""
    whole = padded_size(size[0], size[1], LATENT_STRIDE)
    height, width = whole if name.startswith("g_a") else size
    fits = [s for s in (2, 4, 8) if (-(-height // s), -(-width // s)) == tuple(shape)]
    return fits[-1] if fits else max(1, round(whole[0] / shape[0]))


def _complexity(block: GFABlock, features: Tensor) -> Tensor:
    """The scores that shared out the edge budget of a block's graphs, (1, h, w)."""
    if block.complexity is not None:
        return block.complexity(features)
    settings: Any = block.builder.settings if isinstance(block.builder, EdgeListBuilder) else block.builder
    return complexity_map(features, settings.detector, settings.pooling)
