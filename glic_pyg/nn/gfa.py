"""Graph feature aggregation (GFA): attention along a graph's edges, and the layers and blocks made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import softmax

from glic_pyg.graph import Builder, Graph, GraphBuilder, WindowGraph
from glic_pyg.nn.depthwise import depthwise
from glic_pyg.nn.gated import add_gated_linear, depthwise_gate
from glic_pyg.nn.learned_complexity import LearnedComplexity, LearnedGraph, learned_graphs
from glic_pyg.nn.pointwise import Pointwise, add_linear, halves, map_of, rows_of
from glic_pyg.nn.position_bias import PositionBias, refuse_far_offsets, table_index
from glic_pyg.nn.tiling import run_tiled
from glic_pyg.nn.window_attention import window_attention

LARGEST_LOG_SCALE = math.log(100)
NORM_EPS = 1e-5


class GFAConv(MessagePassing):
    r"""Cosine attention over a node's neighbours (GLIC section 6).

    .. math::
        \ell_{ij}^a &= e^{\min(\tau_a, \log 100)} \cos(q_i^a, k_j^a) + b_a(\delta_{ij}) \\
        x'_i &= W_o \big\Vert_a \sum_{j \in \mathcal N(i)} \mathrm{softmax}_j(\ell_{ij}^a)\, v_j^a

    Two equal ways in: :meth:`forward` with any ``edge_index`` (plain), or with a
    :class:`~glic_pyg.graph.WindowGraph` (fast, in blocks of cells). GFA-Local and GFA-Global are
    this layer on a local and on a mesh graph. On both an isolated node, one without an edge, has
    :math:`x'_i = W_o 0`, the bias of the last map.

    Args:
        channels: feature width C, a multiple of ``heads``.
        heads: attention heads.

    Shapes:
        plain: ``x`` (nodes, C), ``edge_index`` (2, E) sorted by target, ``edge_attr`` (E, 2) int64
        lattice offsets, ``padding`` (nodes,) bool -> (nodes, C).
        fast: ``x`` (B, N, C) or (B * N, C), the real nodes, and a window graph -> the shape of ``x``.
        ``residual``, of the result's shape, is added to it while it is made.

    Raises:
        ValueError: ``heads`` does not divide ``channels``; in ``forward``: x, the graph, its offsets or the
            residual do not fit each other.
    """

    def __init__(self, channels: int, heads: int = 8) -> None:
        super().__init__(aggr="sum", node_dim=0)
        if channels % heads:
            raise ValueError(
                f"{heads} heads do not divide {channels} channels: choose another number of heads"
            )
        self.heads = heads
        self.to_q = nn.Linear(channels, channels)
        self.to_kv = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.log_scale = nn.Parameter(torch.full((heads,), math.log(10)))
        self.position_bias = PositionBias(heads)

    def forward(
        self,
        x: Tensor,
        graph: WindowGraph | Tensor,
        edge_attr: Tensor | None = None,
        padding: Tensor | None = None,
        residual: Tensor | None = None,
    ) -> Tensor:
        if residual is not None and residual.shape != x.shape:
            raise ValueError(f"a residual of shape {tuple(residual.shape)} does not fit x, {tuple(x.shape)}")
        if isinstance(graph, WindowGraph):
            if edge_attr is not None or padding is not None:
                raise ValueError("edge_attr and padding go with an edge_index: a window graph has its own")
            heads = self._in_windows(x, graph)
        else:
            heads = self._along_edges(x, graph, edge_attr, padding)
        return self.out(heads) if residual is None else add_linear(residual, heads, self.out)

    def _in_windows(self, x: Tensor, graph: WindowGraph) -> Tensor:
        """The heads side by side, in blocks of cells."""
        real = graph.batch_size * graph.cells.num_real
        rows = x.view(graph.batch_size, -1, x.shape[-1]) if x.dim() == 2 and len(x) == real else x
        graph.check_rows(rows)
        bias = self._window_bias(graph)
        return window_attention(self.to_q(rows), self.to_kv(rows), self._scale(), bias, graph).view(x.shape)

    def _along_edges(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None, padding: Tensor | None
    ) -> Tensor:
        """The heads side by side, by message passing."""
        if edge_attr is None:
            raise ValueError("a graph given as edge_index needs edge_attr: the (E, 2) lattice offsets")
        if x.dim() != 2 or edge_index.dim() != 2 or edge_attr.shape != (edge_index.shape[1], 2):
            raise ValueError(
                "along an edge_index (2, E) go x of shape (nodes, C) and edge_attr (E, 2), got "
                f"{tuple(edge_index.shape)}, {tuple(x.shape)} and {tuple(edge_attr.shape)}"
            )
        if padding is not None and (padding.dtype != torch.bool or padding.shape != x.shape[:1]):
            raise ValueError(
                f"padding is bool of shape ({len(x)},), got {padding.dtype} {tuple(padding.shape)}"
            )
        q, k, v = self.heads_of(x, padding)
        bias, size = self.position_bias(edge_attr), (len(x), len(x))
        return self.propagate(edge_index, q=q, k=k, v=v, bias=bias, size=size).flatten(-2)

    def heads_of(self, x: Tensor, padding: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Unit queries times the scale, unit keys, and values of ``(nodes, C)``, ``(nodes, heads, d)``."""
        q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in (self.to_q(x), *self.to_kv(x).chunk(2, dim=-1)))
        q, k = F.normalize(q, dim=-1) * self._scale()[:, None], F.normalize(k, dim=-1)
        if padding is not None:
            k, v = (t.masked_fill(padding[:, None, None], 0) for t in (k, v))
        return q, k, v

    def message(
        self, q_i: Tensor, k_j: Tensor, v_j: Tensor, bias: Tensor, index: Tensor, size_i: int
    ) -> Tensor:
        """Messages of E edges, ``(E, heads, d)``."""
        return self.attention(q_i, k_j, bias, index, size_i)[..., None] * v_j

    @staticmethod
    def attention(q_i: Tensor, k_j: Tensor, bias: Tensor, index: Tensor, num_targets: int) -> Tensor:
        """Weights of E edges, ``(E, heads)``; those of one target, ``index``, sum to 1."""
        return softmax((q_i * k_j).sum(-1) + bias, index, num_nodes=num_targets)

    def _scale(self) -> Tensor:
        """``(heads,)``, what multiplies the cosines."""
        return self.log_scale.clamp(max=LARGEST_LOG_SCALE).exp()

    def _window_bias(self, graph: WindowGraph) -> Tensor:
        """``(heads, q, s)``."""
        cells = graph.cells
        refuse_far_offsets(1 - cells.cell_side, cells.window_side - 1)
        index = table_index(cells.lattice_offsets()).to(self.log_scale.device)
        return self.position_bias.table()[index].permute(2, 0, 1).contiguous()


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
        self.conv = GFAConv(channels, heads)
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
        graphs = list(self.graphs(x).values())
        rows = rows_of(x)
        for index, layer in enumerate(self.layers):
            rows = layer(rows, graphs[index % len(graphs)])
        return map_of(rows)

    @torch.compiler.disable
    def graphs(self, x: Tensor) -> Mapping[str, Graph]:
        """The graphs that the block builds for its input, by kind; ``torch.compile`` leaves that alone."""
        x = x.detach()
        if self.complexity is None or not isinstance(self.builder, GraphBuilder):
            return self.builder(x)
        return learned_graphs(self.builder, x, self.complexity(x))
