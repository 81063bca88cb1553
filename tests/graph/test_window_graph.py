from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.utils import sort_edge_index

from glic_pyg.graph import WindowGraph, build_graphs

KINDS = ["local", "mesh"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def check_equal(one: WindowGraph, other: WindowGraph) -> None:
    assert one.cells is other.cells or torch.equal(one.cells.candidates, other.cells.candidates)
    assert torch.equal(one.mask, other.mask) and torch.equal(one.target_degree, other.target_degree)


@pytest.mark.parametrize("settings", [{}, {"method": "exact", "scope": "image"}])
def test_data_and_back_without_loss(feature_map, size, kind: str, settings) -> None:
    graph = build_graphs(feature_map(*size), **settings)[kind]
    check_equal(graph, WindowGraph.from_data(graph.to_data()))


def test_a_batch_of_data_and_back_without_loss(feature_map, size, kind: str) -> None:
    x = feature_map(*size, batch=3)
    graph = build_graphs(x)[kind]
    batch, whole = Batch.from_data_list(graph.to_data_list(x)), graph.to_data(x)
    for name in (
        "x",
        "edge_index",
        "edge_attr",
        "edge_cell",
        "pos",
        "batch",
        "padding",
        "cell",
        "degree",
        "ptr",
    ):
        assert torch.equal(batch[name], whole[name]), name
    check_equal(graph, WindowGraph.from_data(batch))
    check_equal(WindowGraph.from_data(batch[1]), build_graphs(x[1:2])[kind])


def test_batches_of_batches(feature_map, kind: str) -> None:
    x = feature_map(13, 9, batch=4)
    halves = [build_graphs(part)[kind].to_data() for part in x.split(2)]
    check_equal(WindowGraph.from_data(Batch.from_data_list(halves)), build_graphs(x)[kind])


def test_edges_are_those_of_the_mask(feature_map, size, kind: str) -> None:
    graph = build_graphs(feature_map(*size))[kind]
    cells = graph.cells
    image, cell, node, candidate = graph.mask.nonzero().T
    expected = (
        torch.stack([cells.candidates[cell, candidate], cells.nodes[cell, node]]) + image * cells.num_nodes
    )
    assert sorted(map(tuple, graph.edge_index().T.tolist())) == sorted(map(tuple, expected.T.tolist()))


@pytest.mark.filterwarnings("ignore:Sparse CSC tensor support")
@pytest.mark.parametrize("batch", [1, 2])
def test_a_conversion_to_csr_moves_no_edge(feature_map, size, kind: str, batch: int) -> None:
    """Edges are sorted by target, then source, as CSR is: attributes stay beside their edges."""
    data = build_graphs(feature_map(*size, batch=batch))[kind].to_data()
    nodes = data.num_nodes
    source, target = data.edge_index
    assert ((target * nodes + source).diff() > 0).all()
    edges, offsets = sort_edge_index(data.edge_index, data.edge_attr, num_nodes=nodes, sort_by_row=False)
    assert torch.equal(edges, data.edge_index) and torch.equal(offsets, data.edge_attr)


def test_padding_nodes_are_sources_only(feature_map, kind: str) -> None:
    x = feature_map(13, 21)
    data = build_graphs(x)[kind].to_data(x)
    outside = (data.pos < 0).any(-1) | (data.pos >= torch.tensor([21, 13])).any(-1)
    assert torch.equal(data.padding, outside) and data.padding.any()
    assert not data.padding[data.edge_index[1]].any()
    assert data.padding[data.edge_index[0]].any()
    assert not data.x[data.padding].any() and not data.target_degree[data.padding].any()
    assert (data.cell[data.padding] == -1).all() and (data.cell[~data.padding] >= 0).all()
    rows = data.x[~data.padding].view(2, 13 * 21, -1)
    assert torch.equal(rows, x.permute(0, 2, 3, 1).flatten(1, 2))


def test_edge_attr_of_a_local_edge_is_displacement_plus_four(feature_map) -> None:
    data = build_graphs(feature_map(13, 21))["local"].to_data()
    source, target = data.edge_index
    assert torch.equal(data.edge_attr, (data.pos[source] - data.pos[target]).flip(-1).long() + 4)


def test_edge_similarity_is_the_cosine(feature_map, kind: str) -> None:
    x = feature_map(13, 21)
    data = build_graphs(x)[kind].to_data(x, similarity=True)
    ends = data.x[data.edge_index]
    expected = torch.nn.functional.cosine_similarity(*ends)
    torch.testing.assert_close(data.edge_similarity, expected)


def test_a_node_that_no_threshold_leaves_an_edge_reads_all_its_candidates(kind: str) -> None:
    x = torch.zeros(1, 3, 16, 32)  # zero rows are equally similar, 0, to everything: none exceeds the mean
    x[..., 20:] = torch.rand(1, 3, 16, 12)
    graph = build_graphs(x)[kind]
    counts = graph.mask.sum(-1)
    assert counts.min() > 0 and 0 < (counts == 256).double().mean() < 1
    assert graph.to_data().num_edges == counts.sum()
    assert torch.equal(graph.attention_rows[2], graph.mask.flatten(0, 1))


def test_attention_rows_name_the_nodes_of_each_image(feature_map, size, kind: str) -> None:
    graph = build_graphs(feature_map(*size))[kind]
    count, cells = size[0] * size[1], graph.cells
    nodes, candidates, _ = graph.attention_rows
    for rows, ids in ((nodes, cells.nodes), (candidates, cells.candidates)):
        for image, own in enumerate(rows.chunk(2)):
            assert torch.equal(own, torch.where(ids < count, ids + image * count, 2 * count))


def test_fillers_read_nobody() -> None:
    graph = build_graphs(torch.zeros(1, 3, 9, 5))["local"]
    assert torch.equal(graph.edge_index()[1].bincount(), torch.full((45,), 256))
    assert not graph.mask[:, ~graph.cells.real].any()


def test_an_edge_twice_is_refused(feature_map, kind: str) -> None:
    data = build_graphs(feature_map(8, 8))[kind].to_data()
    data.edge_index = torch.cat([data.edge_index, data.edge_index[:, :1]], 1)
    data.edge_attr = torch.cat([data.edge_attr, data.edge_attr[:1]])
    with pytest.raises(ValueError, match="an edge twice"):
        WindowGraph.from_data(data)


def test_parts_that_do_not_belong_together_are_refused(feature_map, kind: str) -> None:
    graph = build_graphs(feature_map(8, 12))[kind]
    other = build_graphs(feature_map(16, 24))[kind]
    for change in (
        {"mask": graph.mask.byte()},
        {"mask": graph.mask[..., :200]},
        {"mask": graph.mask[:1]},
        {"mask": graph.mask[:0], "target_degree": graph.target_degree[:0]},
        {"mask": other.mask},
        {"target_degree": other.target_degree},
        {"cells": other.cells},
    ):
        with pytest.raises(ValueError, match=r"mask is bool|target_degree has the shape"):
            replace(graph, **change)
    with pytest.raises(ValueError, match="one device"):
        replace(graph, mask=graph.mask.to("meta"))
    moved = graph.to("meta")
    assert {moved.mask.device.type, moved.target_degree.device.type, moved.cells.nodes.device.type} == {
        "meta"
    }


def test_a_map_that_does_not_fit_is_refused(feature_map, kind: str) -> None:
    graph = build_graphs(feature_map(8, 8))[kind]
    with pytest.raises(ValueError, match="8x8"):
        graph.to_data(feature_map(8, 9))
    with pytest.raises(ValueError, match="feature map"):
        graph.to_data(similarity=True)


def test_changed_data_is_refused(feature_map, kind: str) -> None:
    graph = build_graphs(feature_map(32, 32))[kind]
    beyond = graph.cells.num_nodes * graph.batch_size
    for change in ([0, 1], [1, 0], [graph.cells.num_nodes, 0], [beyond, beyond], [-beyond, -beyond]):
        data = graph.to_data()
        data.edge_index[:, 0] += torch.tensor(change)
        with pytest.raises(ValueError, match=f"candidate of its {kind} cell"):
            WindowGraph.from_data(data)
    data = graph.to_data()
    data.edge_attr[0] += 40
    with pytest.raises(ValueError, match="was changed"):
        WindowGraph.from_data(data)
    for wrong in (data.edge_attr.float(), data.edge_attr[:, :1], None):
        data.edge_attr = wrong
        with pytest.raises(ValueError, match="edge_attr"):
            WindowGraph.from_data(data)


def test_mixed_or_foreign_data_is_refused(feature_map, kind: str) -> None:
    data = [build_graphs(feature_map(8, width))[kind].to_data() for width in (8, 16)]
    with pytest.raises(ValueError, match="one geometry"):
        WindowGraph.from_data(Batch.from_data_list(data))
    data[0].kind = "radius"
    with pytest.raises(ValueError, match="kind 'radius'"):
        WindowGraph.from_data(data[0])
    del data[1].kind
    with pytest.raises(ValueError, match="does not name its cells"):
        WindowGraph.from_data(data[1])


def test_length_and_repr(feature_map) -> None:
    graph = build_graphs(feature_map(13, 21))["mesh"]
    assert len(graph) == 2
    assert repr(graph) == f"WindowGraph(mesh, 2 maps of 13x21, {graph.edge_index().shape[1]} edges)"
    assert repr(graph.to("meta")) == "WindowGraph(mesh, 2 maps of 13x21)"


def test_data_as_pyg_has_it(feature_map, kind: str) -> None:
    """Positions are x and y in floating point, degree is what a node has, and PyG finds nothing to object."""
    x = feature_map(13, 21)
    graph = build_graphs(x)[kind]
    data = graph.to_data(x)
    assert data.validate() and data.is_sorted(sort_by_row=False)
    assert data.pos.dtype == torch.float32 and data.pos[21 + 4].tolist() == [4.0, 1.0]
    assert torch.equal(data.x[21 + 4], x[0, :, 1, 4])
    assert torch.equal(data.degree, data.edge_index[1].bincount(minlength=data.num_nodes))
    assert torch.equal(data.degree.view(2, -1)[:, :273].sum(1), graph.degree.sum((1, 2)))
    assert data.ptr.tolist() == [0, data.num_nodes // 2, data.num_nodes]


@pytest.mark.parametrize("method", ["bisection", "exact"])
def test_without_padding_nodes(feature_map, size, kind: str, method: str) -> None:
    """All edges are between nodes of the map, the budget is met, and nothing is lost on the way back."""
    x = feature_map(*size)
    graph = build_graphs(x, padding=False, method=method, mean_degree=20)[kind]
    data = graph.to_data(x)
    nodes = size[0] * size[1]
    assert data.num_nodes == 2 * nodes and not data.padding.any() and data.edge_index.max() < 2 * nodes
    assert data.degree.min() >= 1
    if method == "exact":
        assert torch.equal(data.degree.float(), data.target_degree)
        room = (graph.cells.candidates < nodes).sum(1)
        budget = torch.minimum((graph.cells.real.sum(1) * 20), graph.cells.real.sum(1) * room)
        assert torch.equal(graph.degree.sum(2), budget.expand(2, -1))
    back = WindowGraph.from_data(data)
    assert torch.equal(back.mask, graph.mask) and torch.equal(back.target_degree, graph.target_degree)
    singles = graph.to_data_list(x)
    assert torch.equal(Batch.from_data_list(singles).edge_index, data.edge_index)
