"""Message passing inside the entropy model: the channel context reads over graphs of what is decoded already.

The GLIC paper names this as future work; the design is ours. The graph hangs on decoded latents alone, which
both sides of a file have exactly, and is built so that it comes out the same on every machine. What the
layers compute on it is continuous, like every other network of the entropy model, and the file's own
safeguard against rounding (means on a lattice, notes where a rounding is close) covers it.
"""

from __future__ import annotations

from torch import Tensor, nn

from glic_pyg.graph import GraphBuilder
from glic_pyg.nn import GFALayer
from glic_pyg.nn.channels_last import map_of, rows_of

EXPANSION = 2


class GraphContext(nn.Module):
    """A channel ramp, then GFA layers on the local and the mesh graph of the ramp's input, in turns.

    The ramp changes the width, so the layers stand behind it: there they can add to every mean and scale what
    similar places, near and far, have in the channel groups before.

    Args:
        ramp: from the latents decoded so far to ``channels``.
        channels: what the ramp ends with.
        depth: number of GFA layers.
        heads: of their attention.

    Shapes: ``(B, C, h, w)`` decoded latents -> ``(B, channels, h, w)``, any h and w.
    """

    def __init__(self, ramp: nn.Module, channels: int, depth: int, heads: int) -> None:
        super().__init__()
        self.ramp = ramp
        self.layers = nn.ModuleList(GFALayer(channels, EXPANSION, heads) for _ in range(depth))
        self.builder = GraphBuilder(reproducible=True)

    def forward(self, y_hat: Tensor) -> Tensor:
        graphs = list(self.builder(y_hat.detach()).values())
        rows = rows_of(self.ramp(y_hat))
        for index, layer in enumerate(self.layers):
            rows = layer(rows, graphs[index % len(graphs)])
        return map_of(rows)
