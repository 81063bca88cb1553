"""Graph feature aggregation (GFA): the layers and blocks that are made of :class:`~glic_pyg.nn.GFAConv`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from glic_pyg.graph import Builder, Graph, GraphBuilder
from glic_pyg.nn.depthwise import depthwise
from glic_pyg.nn.gated import add_gated_linear, depthwise_gate
from glic_pyg.nn.gfa_conv import GFAConv
from glic_pyg.nn.learned_complexity import LearnedComplexity, LearnedGraph, learned_graphs
from glic_pyg.nn.pointwise import Pointwise, add_linear, halves, map_of, rows_of
from glic_pyg.nn.tiling import run_tiled
from glic_pyg.progress import within

NORM_EPS = 1e-5


class GFALayer(nn.Module):
    r"""One round of message passing on one graph (GLIC section 2, GFA).

    .. math:: t' = t + \mathrm{GFAConv}(\mathrm{LN}(t)), \qquad t'' = t' + \mathrm{FFN}(\mathrm{LN}(t'))

    The FFN has a depthwise 3x3 convolution before its gate.

    Shapes: ``(B, H, W, C)`` rows and a graph over the same maps -> ``(B, H, W, C)``.

    Raises:
        ValueError: in ``forward``, the graph is over other maps.
    """

    def __init__(self, channels: int, expansion: float, heads: int) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.norm_conv = nn.LayerNorm(channels, eps=NORM_EPS)
        self.conv = GFAConv(channels, heads=heads)
        self.norm_ffn = nn.LayerNorm(channels, eps=NORM_EPS)
        self.project_in = Pointwise(channels, 2 * hidden, bias=False)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project_out = Pointwise(hidden, channels, bias=False)

    def forward(self, rows: Tensor, graph: Graph) -> Tensor:
        size = graph if isinstance(graph, Data) else graph.cells
        if rows.shape[1:3] != (size.height, size.width):
            raise ValueError(
                f"rows of {rows.shape[1]}x{rows.shape[2]} maps do not fit a graph over maps of "
                f"{size.height}x{size.width}"
            )
        nodes = rows.flatten(1, 2)
        rows = self._aggregate(nodes, self.norm_conv(nodes), graph).view_as(rows)
        return run_tiled(self._feed_forward, rows, 1, rows.shape[-1])

    def _aggregate(self, nodes: Tensor, normed: Tensor, graph: Graph) -> Tensor:
        if isinstance(graph, Data):
            real = ~graph.padding
            if real.sum() != nodes.shape[:2].numel():
                raise ValueError(f"{len(nodes)} maps do not fit a graph of {real.sum()} nodes on the map")
            padded = normed.new_zeros(len(real), normed.shape[-1])
            padded[real] = normed.flatten(0, 1)
            found = self.conv(padded, graph.edge_index, graph.edge_attr, graph.padding)
            return nodes + found[real].view_as(nodes)
        out = self.conv(normed, graph, residual=nodes)
        return out + graph.degree_term(self.conv, normed) if isinstance(graph, LearnedGraph) else out

    def _feed_forward(self, rows: Tensor, padding: tuple[int, int], out: Tensor | None) -> Tensor:
        height = rows.shape[1] + sum(padding) - 2
        inner = rows.narrow(1, 1 - padding[0], height)
        hidden, weight = halves(self.norm_ffn(rows), self.project_in), self.depthwise.weight
        if not torch.is_grad_enabled():
            return add_linear(inner, depthwise_gate(*hidden, weight, padding), self.project_out, out)
        u, v = (depthwise(half, w, None, padding) for half, w in zip(hidden, weight.chunk(2), strict=True))
        return add_gated_linear(inner, u, v, self.project_out)


class GFABlock(nn.Module):
    """Graph-based feature aggregation: layers take turns with the builder's graphs (local, mesh).

    The graphs are built once, from the block's input and without gradient, and reused by every
    layer. There is no residual around the block.

    Args:
        channels: feature width.
        expansion: hidden width of the FFN over ``channels``.
        depth: number of layers.
        heads: attention heads.
        builder: how graphs are built; with the detector ``"learned"`` the block has a
            :class:`LearnedComplexity` of its own.

    Shapes: ``(B, C, H, W)`` -> ``(B, C, H, W)``, any H and W.
    """

    def __init__(
        self,
        channels: int,
        expansion: float,
        *,
        depth: int = 5,
        heads: int = 8,
        builder: Builder | None = None,
    ) -> None:
        super().__init__()
        self.builder = builder or GraphBuilder()
        learned = isinstance(builder, GraphBuilder) and builder.detector == "learned"
        self.complexity = LearnedComplexity(channels) if learned else None
        self.layers = nn.ModuleList(GFALayer(channels, expansion, heads) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            from glic_pyg.compiling import outside

            graphs = list(outside(self.graphs, x).values())
        else:
            graphs = list(within(1 / 2, self.graphs, x).values())
        rows, kinds = rows_of(x), len(graphs)
        for index, layer in enumerate(self.layers):
            graph = graphs.pop(0)
            if index + kinds < len(self.layers):  # else this was its last turn: large ones are not kept
                graphs.append(graph)
            rows = within(1 / 2 / len(self.layers), layer, rows, graph)
        return map_of(rows)

    def graphs(self, x: Tensor) -> Mapping[str, Graph]:
        """The graphs that the block builds for its input, by kind; ``torch.compile`` leaves that alone."""
        x = x.detach()
        if self.complexity is None or not isinstance(self.builder, GraphBuilder):
            return self.builder(x)
        return learned_graphs(self.builder, x, self.complexity(x))
