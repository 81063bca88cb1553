"""Explain what a node looks at: PyG's AttentionExplainer on GFAConv, and what happens without those edges.

Every node holds a number, and is to tell the largest among its neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.explain import AttentionExplainer, Explainer

from glic_pyg.nn import GFAConv
from glic_pyg.transforms import FeatureMapToGraph


class LargestNearby(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.conv, self.tell = nn.Linear(1, 8), GFAConv(8, heads=2), nn.Linear(8, 1)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None = None) -> Tensor:
        return self.tell(self.conv(self.embed(x), edge_index, edge_attr))


def graph() -> Data:
    """A map of numbers; all nodes within 2 steps are neighbours. ``y`` is the largest of them."""
    data = FeatureMapToGraph("radius", radius=2, mean_degree=13)(torch.randn(1, 10, 10))
    source, target = data.edge_index
    data.y = torch.zeros(100).scatter_reduce(0, target, data.x[source, 0], "amax", include_self=False)
    return data


def main(steps: int = 150, node: int = 55) -> tuple[float, float, float]:
    """Train, explain one node, and take its three most and its three least important edges away.

    Returns:
        the largest edge mask, and by how much the answer changes without the one and the other three.
    """
    torch.manual_seed(0)
    model = LargestNearby()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        data = graph()
        optimizer.zero_grad()
        guess = model(data.x, data.edge_index, data.edge_attr)[:, 0]
        nn.functional.mse_loss(guess, data.y).backward()
        optimizer.step()
    explainer = Explainer(
        model.eval(),
        AttentionExplainer(),
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "regression", "task_level": "node", "return_type": "raw"},
    )
    data = graph()
    mask = explainer(data.x, data.edge_index, edge_attr=data.edge_attr, index=node).edge_mask
    mine = (data.edge_index[1] == node).nonzero()[:, 0]
    by_importance, changes = mine[mask[mine].argsort(descending=True)], []
    with torch.no_grad():
        answer = model(data.x, data.edge_index, data.edge_attr)[node]
        for edges in (by_importance[:3], by_importance[-3:]):
            kept = torch.ones(data.num_edges, dtype=torch.bool).index_fill(0, edges, False)
            without = model(data.x, data.edge_index[:, kept], data.edge_attr[kept])[node]
            changes.append((answer - without).abs().item())
    return mask[mine].max().item(), *changes


if __name__ == "__main__":
    mask, most, least = main()
    print(f"attention up to {mask:.2f}; the answer moves by {most:.3f} without its edges of most attention, "
          f"by {least:.3f} without those of least")  # fmt: skip
