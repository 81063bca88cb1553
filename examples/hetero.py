"""Local and mesh edges as two types of one heterogeneous graph, each with a layer of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.nn import HeteroConv

from glic_pyg.graph import build_graphs
from glic_pyg.nn import GFAConv


def hetero_graph(image: Tensor) -> HeteroData:
    """Both graphs of a ``(C, H, W)`` map over the same nodes; no padding nodes, so their ids agree."""
    data = HeteroData()
    for kind, graph in build_graphs(image[None], padding=False, method="exact", mean_degree=12).items():
        edges = graph.to_data(image[None])
        data["node"].x = edges.x
        data["node", kind, "node"].edge_index = edges.edge_index
        data["node", kind, "node"].edge_attr = edges.edge_attr
    return data


class Model(nn.Module):
    """A sum of what both kinds of edges bring."""

    def __init__(self, in_channels: int, channels: int = 16) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(in_channels, channels), nn.Linear(channels, 1)
        layers = {("node", kind, "node"): GFAConv(channels, heads=4) for kind in ("local", "mesh")}
        self.conv = HeteroConv(layers, aggr="sum")

    def forward(self, data: HeteroData) -> Tensor:
        x = {"node": self.embed(data["node"].x)}
        found = self.conv(x, data.edge_index_dict, edge_attr_dict=data.edge_attr_dict)
        return self.head(x["node"] + found["node"])[:, 0]


def main(steps: int = 40) -> tuple[float, float]:
    """Fit the norm of every node's features; mean squared error at the first and the last step."""
    torch.manual_seed(0)
    graphs = [hetero_graph(torch.randn(4, 16, 16)) for _ in range(4)]
    batch = next(iter(DataLoader(graphs, batch_size=4)))
    model, target, errors = Model(4), batch["node"].x.norm(dim=1), []
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(batch), target)
        errors.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return errors[0], errors[-1]


if __name__ == "__main__":
    print("mean squared error {:.3f} before, {:.3f} after".format(*main()))
