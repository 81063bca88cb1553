"""Watching the GFA blocks of a model at work."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from torch_geometric.data import Data

from glic_pyg.graph import EdgeListBuilder, complexity_map
from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.graph_arrays import GraphArrays, graph_arrays
from glic_pyg.inspection.layer_attention import LayerAttention
from glic_pyg.nn import GFABlock
from glic_pyg.nn.gfa_block import GFALayer

__all__ = ["gfa_blocks", "observed"]


def gfa_blocks(part: nn.Module) -> dict[str, GFABlock]:
    """The GFA blocks of a model or of a part of it, by their path, in the order of the layers."""
    return {name: module for name, module in part.named_modules() if isinstance(module, GFABlock)}


@contextmanager
def observed(
    model: nn.Module, height: int, *, layers: Collection[int] | None = None
) -> Iterator[list[BlockGraphs]]:
    """Fill a list with the graphs of every GFA block that runs inside the ``with``, in the order they run.

    Forward hooks read what goes through; they change nothing, and are gone afterwards.

    Args:
        model: parts of which will run, on one picture at a time.
        height: of the padded picture, in pixels.
        layers: of each block, whose attention may be asked for; None for all. Of such a layer is kept what it
            read, 4 bytes a node and channel.
    """
    seen: list[BlockGraphs] = []
    with ExitStack() as hooks:
        for name, block in gfa_blocks(model).items():
            for handle in _Watch(name, height, layers, seen).hooks(block):
                hooks.callback(handle.remove)
        yield seen


class _Watch:
    """What is seen of one block while it runs."""

    def __init__(
        self, name: str, height: int, wanted: Collection[int] | None, seen: list[BlockGraphs]
    ) -> None:
        self._name, self._height, self._wanted, self._seen = name, height, wanted, seen

    def hooks(self, block: GFABlock) -> Iterator[RemovableHandle]:
        """Hang the methods below at the block; gives what takes them off again."""
        yield block.register_forward_pre_hook(self.begin)
        for layer in block.layers:
            assert isinstance(layer, GFALayer)
            yield layer.register_forward_pre_hook(self.take_turn)
            yield layer.norm_conv.register_forward_hook(self.attend)
        yield block.register_forward_hook(self.end)

    def begin(self, _block: GFABlock, inputs: tuple[Any, ...]) -> None:
        """The block is about to build its graphs from a map."""
        self._features: Tensor = inputs[0].detach()
        self._graphs: dict[str, GraphArrays] = {}
        self._layers: list[LayerAttention] = []
        self._turns: list[tuple[GFALayer, GraphArrays]] = []

    def take_turn(self, layer: GFALayer, inputs: tuple[Any, ...]) -> None:
        """A layer got a graph."""
        graph = inputs[1]
        kind = graph.kind if isinstance(graph, Data) else graph.cells.kind
        if kind not in self._graphs:
            self._graphs[kind] = graph_arrays(graph, self._features)
        self._turns.append((layer, self._graphs[kind]))

    def attend(self, _norm: nn.Module, _inputs: tuple[Any, ...], rows: Tensor) -> None:
        """The layer normalised what it will read along the graph."""
        number, (layer, graph) = len(self._turns) - 1, self._turns[-1]
        if self._wanted is None or number in self._wanted:
            self._layers.append(LayerAttention(number, graph, layer.conv, rows.detach()[0]))

    def end(self, block: GFABlock, _inputs: tuple[Any, ...], _output: Tensor) -> None:
        """The block is done."""
        complexity = _complexity(block, self._features.float())[0].detach().cpu().numpy()
        stride = self._height // complexity.shape[0]
        self._seen.append(BlockGraphs(self._name, stride, complexity, self._graphs, tuple(self._layers)))
        del self._features, self._turns


def _complexity(block: GFABlock, features: Tensor) -> Tensor:
    """The scores that shared out the budget of a block's graphs, (1, h, w)."""
    if block.complexity is not None:
        return block.complexity(features)
    settings: Any = block.builder.settings if isinstance(block.builder, EdgeListBuilder) else block.builder
    return complexity_map(features, settings.detector, settings.pooling)
