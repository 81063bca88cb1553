"""The GFA block: two graphs of the input map, then layers of aggregation and feed-forward."""

from __future__ import annotations

from torch import Tensor, nn

from glic_pyg.graph import GraphBuilder, WindowGraph
from glic_pyg.nn.channels_last import map_of, rows_of
from glic_pyg.nn.depthwise import depthwise
from glic_pyg.nn.gated_linear import add_gated_linear
from glic_pyg.nn.gfa_conv import GFAConv
from glic_pyg.nn.pointwise import Pointwise, halves
from glic_pyg.nn.strips import by_strips

NORM_EPS = 1e-5


class GFALayer(nn.Module):
    r"""One round of message passing on one graph (GLIC section 2, GFA).

    .. math:: t' = t + \mathrm{GFAConv}(\mathrm{LN}(t)), \qquad t'' = t' + \mathrm{FFN}(\mathrm{LN}(t'))

    The FFN has a depthwise 3x3 convolution before its gate.

    Shapes: ``(B, H, W, C)`` rows and a graph over the same maps -> ``(B, H, W, C)``.
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

    def forward(self, rows: Tensor, graph: WindowGraph) -> Tensor:
        nodes = rows.flatten(1, 2)
        rows = self.conv(self.norm_conv(nodes), graph, residual=nodes).view_as(rows)
        return by_strips(self._feed_forward, rows, 1, rows.shape[-1])

    def _feed_forward(self, rows: Tensor, missing: tuple[int, int], out: Tensor | None) -> Tensor:
        height = rows.shape[1] + sum(missing) - 2
        inner = rows.narrow(1, 1 - missing[0], height)
        hidden = halves(self.norm_ffn(rows), self.project_in)
        weights = self.depthwise.weight.chunk(2)
        u, v = (depthwise(half, weight, None, missing) for half, weight in zip(hidden, weights, strict=True))
        return add_gated_linear(inner, u, v, self.project_out, out)


class GFABlock(nn.Module):
    """Graph-based feature aggregation: layers take turns with the builder's graphs (local, mesh).

    The graphs are built once, from the block's input and without gradient, and reused by every
    layer. There is no residual around the block.

    Args:
        channels: feature width.
        expansion: hidden width of the FFN over ``channels``.
        depth: number of layers.
        heads: attention heads.
        builder: how graphs are built.

    Shapes: ``(B, C, H, W)`` -> ``(B, C, H, W)``, any H and W.
    """

    def __init__(
        self,
        channels: int,
        expansion: float,
        *,
        depth: int = 5,
        heads: int = 8,
        builder: GraphBuilder | None = None,
    ) -> None:
        super().__init__()
        self.builder = builder or GraphBuilder()
        self.layers = nn.ModuleList(GFALayer(channels, expansion, heads) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        graphs = list(self.builder(x.detach()).values())
        rows = rows_of(x)
        for index, layer in enumerate(self.layers):
            rows = layer(rows, graphs[index % len(graphs)])
        return map_of(rows)
