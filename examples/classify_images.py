"""Classify images as graphs: FeatureMapToGraph, a DataLoader, two GFAConv layers and a readout.

The images are stripes, upright or lying, in noise. For a folder of images a class see glic_pyg.datasets.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import global_mean_pool

from glic_pyg.nn import GFAConv
from glic_pyg.transforms import FeatureMapToGraph


def stripes(count: int) -> list[Data]:
    """Images of 16x16 pixels with their class."""
    waves, found = torch.sin(torch.arange(16) * 1.2), []
    for i in range(count):
        clean = waves.expand(16, 16) if i % 2 else waves[:, None].expand(16, 16)
        found.append(Data(image=(clean + 0.3 * torch.randn(16, 16))[None], y=torch.tensor([i % 2])))
    return found


class Classifier(nn.Module):
    """The position bias of the edges is what tells upright from lying."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.embed, self.classify = nn.Linear(1, channels), nn.Linear(channels, 2)
        self.convs = nn.ModuleList(GFAConv(channels, heads=4) for _ in range(2))

    def forward(self, data: Data) -> Tensor:
        x = self.embed(data.x)
        for conv in self.convs:
            x = x + conv(x, data.edge_index, data.edge_attr).relu()
        return self.classify(global_mean_pool(x, data.batch))


def main(epochs: int = 12, count: int = 64) -> float:
    """Train, and return the share of right answers on images not seen before."""
    torch.manual_seed(0)
    to_graph = FeatureMapToGraph(mean_degree=12)
    train, test = ([to_graph(image) for image in stripes(count)] for _ in range(2))
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(epochs):
        for batch in DataLoader(train, batch_size=16, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch), batch.y).backward()
            optimizer.step()
    with torch.no_grad():
        batch = next(iter(DataLoader(test, batch_size=count)))
        return float((model(batch).argmax(1) == batch.y).float().mean())


if __name__ == "__main__":
    print(f"{main():.0%} right")
