"""Swap the attention of a codec's GFA layers for a layer of PyG's: GATv2Conv on the same graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv

from glic_pyg.graph import WindowGraph
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GFALayer

SMALL: dict[str, Any] = {
    "widths": (16, 16, 16, 24), "gated_depth": 1, "gfa_depth": 1, "heads": 2, "gfa_expansions": (2, 2),
    "groups": (8, 16), "hyper_channels": 16, "hyper_depth": 1, "context_width": 16, "parameter_width": 16,
}  # fmt: skip


class OnEdges(nn.Module):
    """Any layer of PyG's, called with rows of nodes and a window graph as GFALayer calls its own."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, rows: Tensor, graph: WindowGraph, residual: Tensor) -> Tensor:
        data = graph.to_data()
        x = rows.new_zeros(data.num_nodes, rows.shape[-1])
        x[~data.padding] = rows.flatten(0, 1)  # padding nodes hold zeros
        return residual + self.conv(x, data.edge_index)[~data.padding].view_as(rows)


def swap(model: nn.Module, heads: int = 2) -> int:
    """Give every GFA layer of a model a GATv2Conv; how many there were."""
    layers = [module for module in model.modules() if isinstance(module, GFALayer)]
    for layer in layers:
        width = layer.norm_conv.normalized_shape[0]
        layer.conv = OnEdges(GATv2Conv(width, width // heads, heads))  # type: ignore[assignment]
    return len(layers)


def main(steps: int = 3) -> tuple[int, list[float]]:
    """Train transforms of a small codec a little; the number of layers swapped, and the losses."""
    torch.manual_seed(0)
    model, losses = GLIC(**SMALL), []
    count = swap(model)
    optimizer = torch.optim.Adam([*model.g_a.parameters(), *model.g_s.parameters()], lr=2e-3)
    x = torch.rand(1, 3, 128, 128).cumsum(3) / 128
    for _ in range(steps):
        y = model.g_a(x)
        loss = nn.functional.mse_loss(model.g_s(y + torch.rand_like(y) - 0.5), x)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return count, losses


if __name__ == "__main__":
    count, losses = main(20)
    print(f"{count} layers swapped; loss {losses[0]:.3f} to {losses[-1]:.3f}")
