"""The code of docs/graphs.md runs from top to bottom, and its table names every attribute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from glic_pyg.graph import PointGraphBuilder, build_graphs, build_radius_graph, union_data

PAGE = (Path(__file__).parents[1] / "docs" / "graphs.md").read_text(encoding="utf-8")
SOURCE = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(SOURCE, "docs/graphs.md", "exec"), names)
    assert "edge_index=[2, 2304], edge_attr=[2304, 2]" in capsys.readouterr().out
    assert repr(names["local"]) in PAGE
    explanation = names["explanation"]
    assert (explanation.edge_mask > 0).any() and len(explanation.edge_mask) == explanation.num_edges


def test_every_attribute_is_in_the_table() -> None:
    x = torch.randn(2, 4, 9, 17)
    graphs = build_graphs(x)
    found = [graphs["local"].to_data(x, similarity=True), graphs["mesh"].to_data(x), union_data(graphs, x)]
    found += [build_radius_graph(x, radius=2, mean_degree=5)]
    found += [PointGraphBuilder(k=3)(torch.randn(9, 4), torch.rand(9, 2))]
    attributes = {name for data in found for name in data.to_dict()} - {"num_nodes"}
    rows = PAGE[PAGE.index("## Attributes of") : PAGE.index("## Which convolutions")]
    assert attributes <= set(re.findall(r"`(\w+)`", rows))


@pytest.mark.parametrize(("height", "width"), [(32, 64), (13, 21)])
def test_a_mesh_falls_apart_as_the_page_says(height: int, width: int) -> None:
    from scipy.sparse.csgraph import connected_components
    from torch_geometric.utils import to_scipy_sparse_matrix

    graph = build_graphs(torch.randn(1, 4, height, width), padding=False)["mesh"].to_data()
    parts = connected_components(to_scipy_sparse_matrix(graph.edge_index, num_nodes=graph.num_nodes))[0]
    assert parts >= -(-height // 16) * -(-width // 16)
    assert parts == 8 or height < 32
