"""Arrays of a graph against the graph itself and its PyG form."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Data

from glic_pyg.graph import GraphBuilder, WindowGraph, graph_builder
from glic_pyg.graph.similarity import edge_similarity
from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.graphs import GraphArrays, graph_arrays, notebook_view
from glic_pyg.plotting import map_colours

# Maps that the cells tile, that they do not tile, and one with nodes that no threshold leaves an edge.
SHAPES = [(16, 32), (13, 21), (5, 7)]


def features_of(shape: tuple[int, int]) -> torch.Tensor:
    return torch.randn(1, 6, *shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def shape(request: pytest.FixtureRequest) -> tuple[int, int]:
    return request.param


@pytest.fixture(params=["local", "mesh"])
def graph(request: pytest.FixtureRequest, shape: tuple[int, int]) -> WindowGraph:
    """As built, but that node (1, 1) reads all its candidates, as if no threshold told them apart."""
    built = GraphBuilder()(features_of(shape))[request.param]
    mask = built.mask.clone()
    mask[0][built.cells.nodes == shape[1] + 1] = True
    return WindowGraph(built.cells, mask, built.target_degree)


@pytest.fixture
def arrays(graph: WindowGraph, shape: tuple[int, int]) -> GraphArrays:
    return graph_arrays(graph, features_of(shape))


def test_the_same_edges_as_pyg_data(graph: WindowGraph, arrays: GraphArrays, shape: tuple[int, int]) -> None:
    data = graph.to_data(features_of(shape), similarity=True)
    assert np.array_equal(arrays.edge_index, data.edge_index)
    assert np.array_equal(arrays.offset, data.edge_attr)
    assert np.array_equal(arrays.positions, data.pos.flip(-1))
    np.testing.assert_allclose(arrays.similarity, data.edge_similarity, atol=1e-3)
    assert np.array_equal(arrays.target_degree.ravel(), data.target_degree[: arrays.num_real])


def test_degrees_are_the_edges_that_end_at_a_node(graph: WindowGraph, arrays: GraphArrays) -> None:
    targets = graph.edge_index()[1]
    counts = torch.bincount(targets, minlength=arrays.num_real).view(arrays.shape)
    assert np.array_equal(arrays.degree, counts)


def test_neighbours_of_a_node(graph: WindowGraph, arrays: GraphArrays) -> None:
    source, target = graph.edge_index()
    for row, column in [(0, 0), (1, 1), (arrays.shape[0] - 1, arrays.shape[1] - 2)]:
        mine = source[target == row * arrays.shape[1] + column]
        assert np.array_equal(arrays.neighbours((row, column)), graph.cells.positions[mine])


def test_a_node_that_no_threshold_leaves_an_edge_is_isolated(arrays: GraphArrays) -> None:
    assert arrays.isolated[1, 1] and arrays.degree[1, 1] == 256
    assert arrays.isolated.sum() == 1


def test_similarities_are_cosines(arrays: GraphArrays, shape: tuple[int, int]) -> None:
    rows = features_of(shape)[0].permute(1, 2, 0).flatten(0, 1)
    real = arrays.source < arrays.num_real
    expected = edge_similarity(rows, torch.from_numpy(arrays.edge_index[:, real]).long())
    np.testing.assert_allclose(arrays.similarity[real], expected, atol=1e-3)
    assert not arrays.similarity[~real].any()


def test_a_node_beside_the_map_is_refused(arrays: GraphArrays) -> None:
    with pytest.raises(ValueError, match="not on a map"):
        arrays.edges((0, arrays.shape[1]))


def test_one_map_only(shape: tuple[int, int]) -> None:
    two = features_of(shape).repeat(2, 1, 1, 1)
    with pytest.raises(ValueError, match="one map"):
        graph_arrays(GraphBuilder()(two)["local"], two)


@pytest.mark.parametrize(
    "settings", [{"kinds": ["union"]}, {"kinds": ["radius"], "radius": 4, "mean_degree": 9}]
)
def test_graphs_given_as_lists_of_edges(settings: dict[str, Any], shape: tuple[int, int]) -> None:
    ((kind, data),) = graph_builder(**settings)(features_of(shape)).items()
    assert isinstance(data, Data)
    arrays = graph_arrays(data, features_of(shape))
    assert arrays.kind == kind and arrays.shape == shape
    assert np.array_equal(arrays.edge_index, data.edge_index)
    assert np.array_equal(
        arrays.neighbours((2, 3)),
        data.pos.flip(-1)[data.edge_index[0, data.edge_index[1] == 2 * shape[1] + 3]],
    )
    assert arrays.target_degree.min() >= 1 and 0.9 < arrays.similarity.max() <= 1


def test_a_graph_and_a_block_show_their_maps(graphs: BlockGraphs) -> None:
    local = graphs.graphs["local"]
    shown = local._repr_html_()
    assert "local graph" in shown and f"{18 * 26} nodes" in shown and f"{len(local.source):,} edges" in shown
    images = re.findall(r"base64,([^']+)", shown)
    degree = np.asarray(Image.open(io.BytesIO(base64.b64decode(images[1]))))
    assert np.array_equal(degree, np.uint8(map_colours(local.degree) * 255))
    assert graphs._repr_html_().count("<img ") == 3 and "g_a stage 2" in graphs._repr_html_()


def test_names_are_text() -> None:
    assert "<b>" not in notebook_view("<b>", {"<b>": "<b>"}, {"<b>": np.ones((2, 2))})
