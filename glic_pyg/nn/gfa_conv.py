"""GFAConv: cosine attention along the edges of any graph, or in the windows of a feature map's graph."""

from __future__ import annotations

import math
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import Linear as LazyLinear
from torch_geometric.nn import MessagePassing
from torch_geometric.typing import OptTensor
from torch_geometric.utils import is_sparse, softmax

from glic_pyg.graph import WindowGraph
from glic_pyg.nn.edge_attention import compressed, edge_attention
from glic_pyg.nn.pointwise import add_linear
from glic_pyg.nn.position_bias import PositionBias, refuse_far_offsets, table_index
from glic_pyg.nn.tiling import over_bands
from glic_pyg.nn.window_attention import window_attention

LARGEST_LOG_SCALE = math.log(100)
FIRST_LOG_SCALE = math.log(10)


class GFAConv(MessagePassing):
    r"""Cosine attention over a node's neighbours (GLIC section 6).

    .. math::
        \ell_{ij}^a &= e^{\min(\tau_a, \log 100)} \cos(q_i^a, k_j^a) + b_a(\delta_{ij}) \\
        \alpha_{ij}^a &= \mathrm{softmax}_j(\ell_{ij}^a) \\
        x'_i &= W_o \big\Vert_a \sum_{j \in \mathcal N(i)} \alpha_{ij}^a\, v_j^a

    GFA-Local and GFA-Global are this layer on a local and on a mesh graph. An isolated node, one without an
    edge, has :math:`x'_i = W_o 0`, the bias of the last map.

    There are three equal ways to compute it: in blocks of cells with a :class:`~glic_pyg.graph.WindowGraph`;
    with any ``edge_index`` by :func:`~glic_pyg.nn.edge_attention`, in memory that does not grow with the
    messages; and, where somebody looks at the messages (attention weights, dropout, an explainer, a hook, a
    subclass, a sparse adjacency, ``torch.export``, ``conv.fused = False``), by PyG's message passing.

    Args:
        in_channels: width of the node features; a pair ``(sources, targets)`` for a bipartite graph; -1 takes
            it from the first call.
        out_channels: width of the result, a multiple of ``heads``; by default ``in_channels``.
        heads: attention heads.
        dropout: share of the attention weights that training sets to zero.
        **kwargs: of :class:`torch_geometric.nn.MessagePassing`.

    Shapes:
        any graph: ``x`` (N, in_channels) or a pair (M, in_s), (N, in_t); ``edge_index`` (2, E), an
        ``EdgeIndex`` or a sparse adjacency; ``edge_attr`` (E, 2) int64 lattice offsets in -7..15, or None for
        no position bias; ``padding`` (M,) bool, nodes whose keys and values are zero -> (N, out_channels);
        with ``return_attention_weights`` also ``(edge_index, (E, heads))``. Edges that are sorted by target
        are not sorted again.
        a window graph as ``edge_index``: ``x`` (B, N, in) or (B * N, in), the real nodes -> (..., out).
        ``residual``, of the result's shape, is added to it while it is made.

    Raises:
        ValueError: ``heads`` does not divide ``out_channels``; in ``forward``: x, the graph, its offsets or
            the residual do not fit each other.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int | None = None,
        heads: int = 8,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("aggr", "sum")
        super().__init__(node_dim=0, **kwargs)
        source, target = in_channels if isinstance(in_channels, tuple) else (in_channels, in_channels)
        channels = target if out_channels is None else out_channels
        if heads < 1 or channels < 1 or channels % heads:
            raise ValueError(
                f"{heads} heads do not divide {channels} channels: choose another number of heads"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"a dropout of {dropout} makes no sense: choose one from 0 to below 1")
        self.in_channels, self.out_channels = in_channels, channels
        self.heads, self.dropout, self.fused = heads, dropout, True
        self.to_q, self.to_kv = _linear(target, channels), _linear(source, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.log_scale = nn.Parameter(torch.full((heads,), FIRST_LOG_SCALE))
        self.position_bias = PositionBias(heads)

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        super().reset_parameters()
        for module in (self.to_q, self.to_kv, self.out, self.position_bias):
            module.reset_parameters()
        nn.init.constant_(self.log_scale, FIRST_LOG_SCALE)

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor],
        edge_index: WindowGraph | Tensor,
        edge_attr: Tensor | None = None,
        padding: Tensor | None = None,
        residual: Tensor | None = None,
        return_attention_weights: bool | None = None,
    ) -> Any:
        """The layer's result; a pair with the attention weights if these are asked for."""
        if isinstance(edge_index, WindowGraph):
            if edge_attr is not None or padding is not None:
                raise ValueError("edge_attr and padding go with an edge_index: a window graph has its own")
            if return_attention_weights or (self.training and self.dropout):
                raise ValueError(
                    "a window graph has no weights per edge to return or to drop: "
                    "give the edge_index and edge_attr of its to_data()"
                )
            heads, weights = self._in_windows(x, edge_index), None
        elif self._by_messages(edge_index, return_attention_weights):
            heads, weights = self._message_passing(x, edge_index, edge_attr, padding)
        else:
            heads, weights = self._along_edges(x, edge_index, edge_attr, padding), None
        if residual is not None and residual.shape != heads.shape:
            raise ValueError(
                f"a residual of shape {tuple(residual.shape)} does not fit the result, {tuple(heads.shape)}"
            )
        if residual is None:
            out = self.out(heads)
        else:
            out = over_bands(lambda some, beside: add_linear(beside, some, self.out), heads, residual)
        return (out, (edge_index, weights)) if return_attention_weights else out

    def _in_windows(self, x: Any, graph: WindowGraph) -> Tensor:
        """The heads side by side, in blocks of cells."""
        if not isinstance(x, Tensor):
            raise ValueError("a window graph has one kind of nodes: give x as one tensor")
        real = graph.batch_size * graph.cells.num_real
        rows = x.view(graph.batch_size, -1, x.shape[-1]) if x.dim() == 2 and len(x) == real else x
        graph.check_rows(rows)
        bias = self._window_bias(graph)
        found = window_attention(
            self.to_q(rows), self.to_kv(rows), self._scale(), bias, graph, overwrite=True
        )
        return found.view(*x.shape[:-1], self.out_channels)

    def _by_messages(self, edge_index: Tensor, return_attention_weights: bool | None) -> bool:
        """Whether somebody looks at the messages, or could not follow :func:`edge_attention`."""
        kind = type(self)
        watched = (hooks for name, hooks in vars(self).items() if name.startswith(_HOOKS))
        return (
            not self.fused
            or bool(return_attention_weights)
            or (self.training and self.dropout > 0)
            or self.explain is True
            or self.decomposed_layers > 1
            or self.aggr != "sum"
            or is_sparse(edge_index)
            or any(getattr(kind, name) is not getattr(GFAConv, name) for name in _STEPS)
            or any(watched)
            or torch.compiler.is_exporting()
            or torch.jit.is_tracing()
        )

    def _along_edges(
        self, x: Any, edge_index: Tensor, edge_attr: Tensor | None, padding: Tensor | None
    ) -> Tensor:
        """The heads side by side, without messages."""
        q, k, v = self._prepare(x, edge_index, edge_attr, padding)
        ends = edge_index if self.flow == "source_to_target" else edge_index.flip(0)
        ptr, source, order = compressed(ends, len(k), len(q))
        if edge_attr is None:
            return edge_attention(q, k, v, ptr, source).flatten(-2)
        entry = self.position_bias.entries(edge_attr if order is None else edge_attr[order])
        return edge_attention(q, k, v, ptr, source, self.position_bias.table(), entry).flatten(-2)

    def _message_passing(
        self, x: Any, edge_index: Tensor, edge_attr: Tensor | None, padding: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The heads side by side, by PyG's message passing, and the attention weights."""
        q, k, v = self._prepare(x, edge_index, edge_attr, padding)
        bias = None if edge_attr is None else self.position_bias(edge_attr)
        alpha = self.edge_updater(edge_index, q=q, k=k, bias=bias)
        size = k.shape[0], q.shape[0]
        size = size if self.flow == "source_to_target" else size[::-1]
        return self.propagate(edge_index, v=v, alpha=alpha, size=size).flatten(-2), alpha

    def _prepare(
        self, x: Any, edge_index: Tensor, edge_attr: Tensor | None, padding: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Check what belongs to an ``edge_index``; queries, keys and values."""
        pair = x if isinstance(x, tuple) else (x, x)
        source, target = pair if self.flow == "source_to_target" else pair[::-1]
        edges = None if is_sparse(edge_index) else edge_index.shape[-1]
        if source.dim() != 2 or target.dim() != 2 or (edges is not None and edge_index.shape != (2, edges)):
            raise ValueError(
                f"along an edge_index (2, E) go x of shape (nodes, C), or a pair of those, got "
                f"{tuple(edge_index.shape)}, {tuple(source.shape)} and {tuple(target.shape)}"
            )
        if edge_attr is not None and edges is not None and edge_attr.shape != (edges, 2):
            raise ValueError(f"along an edge_index of {edges} edges goes edge_attr of shape ({edges}, 2), "
                             f"the lattice offsets, got {tuple(edge_attr.shape)}")  # fmt: skip
        if padding is not None and (padding.dtype != torch.bool or padding.shape != source.shape[:1]):
            raise ValueError(
                f"padding is bool of shape ({len(source)},), got {padding.dtype} {tuple(padding.shape)}"
            )
        return self.heads_of(source, padding, target)

    def heads_of(
        self, x: Tensor, padding: Tensor | None = None, target: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Unit queries times the scale, unit keys, and values, ``(nodes, heads, d)`` each.

        Args:
            x: ``(nodes, C)``, which keys and values are made of.
            padding: ``(nodes,)`` bool, whose keys and values are zero.
            target: what queries are made of, if not of ``x``.
        """
        k, v = (t.unflatten(-1, (self.heads, -1)) for t in self.to_kv(x).chunk(2, dim=-1))
        q = self.to_q(x if target is None else target).unflatten(-1, (self.heads, -1))
        q, k = F.normalize(q, dim=-1) * self._scale()[:, None], F.normalize(k, dim=-1)
        if padding is not None:
            k, v = (t.masked_fill(padding[:, None, None], 0) for t in (k, v))
        return q, k, v

    def edge_update(
        self,
        q_i: Tensor,
        k_j: Tensor,
        bias: OptTensor,
        index: Tensor,
        ptr: OptTensor,
        size_i: Optional[int],  # noqa: UP045  PyG's templates evaluate it
    ) -> Tensor:
        """Attention weights of E edges, ``(E, heads)``."""
        alpha = self.attention(q_i, k_j, bias, index, size_i, ptr)
        return F.dropout(alpha, p=self.dropout, training=self.training)

    def message(self, v_j: Tensor, alpha: Tensor) -> Tensor:
        """Messages of E edges, ``(E, heads, d)``."""
        return v_j * alpha[..., None]

    @staticmethod
    def attention(
        q_i: Tensor,
        k_j: Tensor,
        bias: Tensor | None,
        index: Tensor,
        num_targets: int | None,
        ptr: Tensor | None = None,
    ) -> Tensor:
        """Weights of E edges, ``(E, heads)``; those of one target, ``index``, sum to 1."""
        logits = (q_i * k_j).sum(-1)
        return softmax(logits if bias is None else logits + bias, index, ptr, num_targets)

    def _scale(self) -> Tensor:
        """``(heads,)``, what multiplies the cosines."""
        return self.log_scale.clamp(max=LARGEST_LOG_SCALE).exp()

    def _window_bias(self, graph: WindowGraph) -> Tensor:
        """``(heads, q, s)``."""
        cells = graph.cells
        refuse_far_offsets(1 - cells.cell_side, cells.window_side - 1)
        index = table_index(cells.lattice_offsets()).to(self.log_scale.device)
        return self.position_bias.table()[index].permute(2, 0, 1).contiguous()

    def __repr__(self) -> str:
        dropout = f", dropout={self.dropout}" if self.dropout else ""
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, heads={self.heads}{dropout})"


_HOOKS = ("_propagate_forward", "_message_forward", "_aggregate_forward", "_edge_update_forward")
_STEPS = ("edge_update", "message", "aggregate", "update", "propagate", "edge_updater", "attention")


def _linear(in_channels: int, out_channels: int) -> nn.Linear | LazyLinear:
    """A linear map; -1 input channels are taken from the first call."""
    return nn.Linear(in_channels, out_channels) if in_channels >= 0 else LazyLinear(-1, out_channels)
