"""Images and feature maps as graphs, alone and in a DataLoader."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATv2Conv
from torch_geometric.transforms import Compose, ToUndirected

from glic_pyg.graph import build_graphs, build_radius_graph
from glic_pyg.nn import GFAConv
from glic_pyg.transforms import FeatureMapToGraph


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (13, 18, 3), dtype=np.uint8)


def test_every_form_of_an_image_gives_one_graph(pixels: np.ndarray) -> None:
    transform = FeatureMapToGraph(mean_degree=8)
    floats = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    graphs = [transform(form) for form in (pixels, Image.fromarray(pixels), floats, floats[None])]
    for graph in graphs:
        assert torch.equal(graph.x, floats.permute(1, 2, 0).flatten(0, 1))
        assert torch.equal(graph.edge_index, graphs[0].edge_index)
        assert graph.validate() and not graph.padding.any()
    grey = transform(pixels[..., 0])
    assert grey.x.shape == (13 * 18, 1)


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_edges_are_those_of_the_centred_map(pixels: np.ndarray, kind: str) -> None:
    floats = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    centred = floats - floats.mean((2, 3), keepdim=True)
    settings = {"mean_degree": 9, "method": "exact", "padding": False}
    expected = build_graphs(centred, **settings)[kind].edge_index()
    assert torch.equal(FeatureMapToGraph(kind, mean_degree=9)(pixels).edge_index, expected)
    raw = build_graphs(floats, **settings)[kind].edge_index()
    assert torch.equal(FeatureMapToGraph(kind, mean_degree=9, centre=False)(pixels).edge_index, raw)
    assert not torch.equal(raw, expected)


def test_union_and_radius(pixels: np.ndarray) -> None:
    union = FeatureMapToGraph("union", mean_degree=5)(pixels)
    parts = [FeatureMapToGraph(kind, mean_degree=5)(pixels) for kind in ("local", "mesh")]
    both = {tuple(edge) for part in parts for edge in part.edge_index.T.tolist()}
    assert {tuple(edge) for edge in union.edge_index.T.tolist()} == both
    assert torch.equal(union.x, parts[0].x)
    disc = FeatureMapToGraph("radius", radius=3, mean_degree=5, centre=False)(pixels)
    floats = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    expected = build_radius_graph(floats, radius=3, mean_degree=5, method="exact")
    assert torch.equal(disc.edge_index, expected.edge_index) and torch.equal(disc.x, expected.x)


def test_patches(pixels: np.ndarray) -> None:
    """A node is a patch, whose pixels of one channel stand side by side; the border is repeated."""
    data = FeatureMapToGraph(patch=4, mean_degree=4)(pixels)
    assert data.x.shape == (4 * 5, 48) and (data.height, data.width) == (4, 5)
    first = torch.from_numpy(pixels[:4, :4, 1].copy()).flatten() / 255
    assert torch.equal(data.x[0, 16:32], first)
    assert torch.equal(data.x[-1, :16], torch.from_numpy(pixels[12:, 16:, 0].copy() / np.float32(255))[
        :, [0, 1, 1, 1]].expand(4, 4).flatten())  # fmt: skip


def test_data_keeps_its_other_attributes(pixels: np.ndarray) -> None:
    data = Data(image=torch.from_numpy(pixels).permute(2, 0, 1), y=torch.tensor([3]), source="x.png")
    graph = Compose([FeatureMapToGraph(mean_degree=6), ToUndirected()])(data)
    assert graph.y.item() == 3 and graph.source == "x.png" and "image" not in graph
    assert graph.is_undirected()
    assert "edge_index" not in data and "image" in data  # the given one is left alone


def test_in_a_loader_and_through_layers() -> None:
    """Batches of graphs give what each graph gives alone, by GFAConv and by a layer of PyG's."""
    transform = FeatureMapToGraph(patch=2, mean_degree=6)
    graphs = [transform(torch.rand(3, 16, 12)) for _ in range(3)]
    batch = next(iter(DataLoader(graphs, batch_size=3)))
    assert batch.ptr.tolist() == [0, 48, 96, 144] and batch.num_graphs == 3
    for conv in (GFAConv(12, 8, heads=2), GATv2Conv(12, 4, heads=2)):
        arguments = [[g.x, g.edge_index] for g in (*graphs, batch)]
        if isinstance(conv, GFAConv):
            arguments = [
                [*a, g.edge_attr, g.padding] for a, g in zip(arguments, (*graphs, batch), strict=True)
            ]
        *alone, together = (conv(*a) for a in arguments)
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_repr_and_refusals(pixels: np.ndarray) -> None:
    found = repr(FeatureMapToGraph("mesh", mean_degree=8))
    assert found == (
        "FeatureMapToGraph('mesh', patch=1, centre=True, method='exact', padding=False, mean_degree=8)"
    )
    with pytest.raises(ValueError, match="patch"):
        FeatureMapToGraph(patch=0)
    with pytest.raises(ValueError, match=r"kind|radius|graph is"):
        FeatureMapToGraph("globe")
    transform = FeatureMapToGraph()
    for wrong in (torch.rand(2, 3, 8, 8), torch.rand(8, 8), np.zeros(5)):
        with pytest.raises(ValueError, match="shape"):
            transform(wrong)
    with pytest.raises(ValueError, match="image"):
        transform(Data(x=torch.rand(3, 4)))
