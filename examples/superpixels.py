"""Graphs of superpixels: nodes at irregular positions, their neighbours by distance and similarity.

Any segmentation does; this one is k-means on position and colour.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.cluster.vq import kmeans2
from torch import nn
from torch_geometric.data import Data

from glic_pyg.graph import PointGraphBuilder
from glic_pyg.nn import GFAConv

IMAGE = Path(__file__).parents[1] / "data" / "samples" / "city.png"


def superpixels(count: int = 150, side: int = 96) -> Data:
    """A graph of about so many superpixels of an image that is scaled to a square."""
    pixels = np.array(Image.open(IMAGE).convert("RGB").resize((side, side)), np.float32) / 255
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    points = np.dstack([columns / side * 4, rows / side * 4, pixels]).reshape(-1, 5)
    _, label = kmeans2(points, count, iter=8, minit="points", seed=0)
    index = torch.from_numpy(np.unique(label, return_inverse=True)[1].astype(np.int64))
    counted = torch.from_numpy(np.hstack([points, np.ones((side**2, 1), np.float32)]))
    sums = torch.zeros(int(index.max()) + 1, 6).index_add(0, index, counted)
    means = sums[:, :5] / sums[:, 5:]
    pos, colour = means[:, :2] * side / 4, means[:, 2:]
    build = PointGraphBuilder(k=16, mean_degree=6)
    data = build(colour - colour.mean(0), pos)
    data.x, data.y = colour, pos[:, 1] / side  # what to tell: how far down a superpixel lies
    return data


def main(steps: int = 200) -> tuple[float, float]:
    """Guess a superpixel's height in the image from its and its neighbours' colours; error before, after."""
    torch.manual_seed(0)
    data, errors = superpixels(), []
    embed, conv, head = nn.Linear(3, 16), GFAConv(16, heads=4), nn.Linear(16, 1)
    model = nn.ModuleList([embed, conv, head])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        x = embed(data.x)
        guess = head(x + conv(x, data.edge_index).relu())[:, 0]
        loss = nn.functional.mse_loss(guess, data.y)
        errors.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return errors[0], errors[-1]


if __name__ == "__main__":
    print("mean squared error {:.3f} before, {:.3f} after".format(*main()))
