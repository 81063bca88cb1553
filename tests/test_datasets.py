"""A folder of images as a data set of graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.loader import DataLoader

from glic_pyg.datasets import ImageGraphs
from glic_pyg.transforms import FeatureMapToGraph


@pytest.fixture
def root(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("cats/a.png", "cats/b.png", "dogs/c.png"):
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(path)
    return tmp_path


def test_images_and_their_classes(root: Path) -> None:
    to_graph = FeatureMapToGraph(patch=2, mean_degree=4)
    graphs = ImageGraphs(root, to_graph)
    assert graphs.classes == ["cats", "dogs"] and len(graphs) == 3
    assert [(g.name, g.y.item()) for g in graphs] == [("cats/a.png", 0), ("cats/b.png", 0), ("dogs/c.png", 1)]
    expected = to_graph(Image.open(root / "raw" / "dogs" / "c.png"))
    for name in ("x", "edge_index", "edge_attr", "pos", "degree", "target_degree"):
        assert torch.equal(graphs[2][name], expected[name]), name
    batch = next(iter(DataLoader(graphs, batch_size=3)))
    assert batch.y.tolist() == [0, 0, 1] and batch.num_graphs == 3


def test_graphs_are_built_once_for_their_settings(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    inner = FeatureMapToGraph.forward
    monkeypatch.setattr(
        FeatureMapToGraph, "forward", lambda self, image: built.append(repr(self)) or inner(self, image)
    )
    four = FeatureMapToGraph(patch=2, mean_degree=4)
    ImageGraphs(root, four)
    ImageGraphs(root, four)
    assert len(built) == 3
    ImageGraphs(root, FeatureMapToGraph(patch=2, mean_degree=5))
    assert len(built) == 6


def test_a_file_that_is_no_image_is_left_out(root: Path) -> None:
    (root / "raw" / "cats" / "broken.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"left out of the data set: .*broken\.png"):
        graphs = ImageGraphs(root, FeatureMapToGraph(patch=2, mean_degree=4))
    assert len(graphs) == 3


def test_no_images(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no image below"):
        ImageGraphs(tmp_path)
