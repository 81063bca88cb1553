"""A complexity that is learned instead of measured, and how it gets its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glic_pyg.graph import GraphBuilder, WindowGraph
from glic_pyg.nn.precision import full_precision

STEP = 1.25
LEAST = 1e-3
NORM_EPS = 1e-6


class LearnedComplexity(nn.Module):
    r"""Scores the nodes of a map by a small network, in place of Sobel (GLIC's future work, our design).

    .. math:: c = \mathrm{softplus}\left(\mathrm{conv}_{3\times3}\left(\mathrm{GELU}\left(
              \mathrm{conv}_{1\times1}\left((x - \mu) / \sigma\right)\right)\right)\right) + 0.001

    Mean and deviation are those of the whole map: what counts is where it is unlike itself elsewhere.
    Fresh weights give nearly the same score everywhere, so training starts from uniform degrees.

    Args:
        channels: of the map.
        hidden: width of the network.

    Shapes: ``(B, C, H, W)`` -> ``(B, H, W)``, above 0, float32 or float64.
    """

    def __init__(self, channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, hidden, 1)
        self.score = nn.Conv2d(hidden, 1, 3, padding=1, padding_mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        with full_precision(x.device.type):
            x = x.to(self.mix.weight.dtype).contiguous()
            variance, mean = torch.var_mean(x, (1, 2, 3), correction=0, keepdim=True)
            x = (x - mean) * (variance + NORM_EPS).rsqrt()
            return F.softplus(self.score(F.gelu(self.mix(x))))[:, 0] + LEAST


@dataclass(frozen=True, eq=False, repr=False)
class LearnedGraph(WindowGraph):
    r"""A graph whose degrees have a gradient, between the graphs of a larger and of a smaller budget.

    Which edges there are is a step function of the degrees: it has no derivative. But what a node reads
    changes smoothly enough when it is granted a few neighbours more or less, and that can be tried. For the
    aggregate :math:`a_i` of node i at its degree :math:`d_i` we take the central difference

    .. math:: \frac{\partial a_i}{\partial d_i} \approx \frac{a_i(d^+) - a_i(d^-)}{n_i^+ - n_i^-},

    where :math:`d^\pm` is the budget times or over 1.25 and :math:`n_i^\pm` the neighbours that node i then
    has (straight-through: forward nothing changes). The degrees follow from the scores by a division, so the
    budget itself is differentiable, and sharing more here means sharing less elsewhere.

    Attributes:
        wider, narrower: of the same map.
    """

    wider: WindowGraph
    narrower: WindowGraph

    def degree_term(self, conv: Callable[[Tensor, WindowGraph], Tensor], rows: Tensor) -> Tensor:
        """Zero, with the gradient by the degrees of what ``conv`` makes of ``(B, N, C)`` rows."""
        with torch.no_grad():
            change = conv(rows, self.wider) - conv(rows, self.narrower)
            more = self._met(self.wider) - self._met(self.narrower)
            change = torch.where(more > 0, change / more.clamp_min(1), 0)
        degrees = self._by_node(self.target_degree)
        return (degrees - degrees.detach()).to(rows.dtype) * change

    def _met(self, graph: WindowGraph) -> Tensor:
        """``(B, N, 1)`` neighbours that each node has."""
        return self._by_node(graph.mask.sum(-1))

    def _by_node(self, values: Tensor) -> Tensor:
        """``(B, G, q)`` -> ``(B, N, 1)``."""
        return values.flatten(1)[:, self.cells.slots, None]


def learned_graphs(builder: GraphBuilder, x: Tensor, complexity: Tensor) -> dict[str, WindowGraph]:
    """The builder's graphs of a map by given scores; while gradients are wanted as :class:`LearnedGraph`.

    Args:
        builder: its settings but for the detector count.
        x: ``(B, C, H, W)``.
        complexity: ``(B, H, W)`` of :class:`LearnedComplexity`.
    """
    graphs = builder(x, complexity)
    if not complexity.requires_grad:
        return graphs
    most = next(iter(graphs.values())).mask.shape[-1]
    degrees = min(builder.mean_degree * STEP, most), max(builder.mean_degree / STEP, 1)
    wider, narrower = (replace(builder, mean_degree=degree)(x, complexity.detach()) for degree in degrees)
    return {
        kind: LearnedGraph(
            **{field.name: getattr(graph, field.name) for field in fields(WindowGraph)},
            wider=wider[kind],
            narrower=narrower[kind],
        )
        for kind, graph in graphs.items()
    }
