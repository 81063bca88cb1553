from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data

from glic_pyg.graph import build_graphs, union_data

COLUMNS = ("edge_attr", "edge_cell")


def edges(data: Data) -> dict[tuple, tuple]:
    """(image, source position, target position) -> what the edge carries."""
    pos, image = data.pos.tolist(), data.batch.tolist()
    carried = zip(*(data[name].tolist() for name in COLUMNS), strict=True)
    pairs = data.edge_index.T.tolist()
    return {(image[t], *pos[s], *pos[t]): what for (s, t), what in zip(pairs, carried, strict=True)}


def test_edges_of_both_and_the_local_one_where_they_meet(feature_map, size) -> None:
    x = feature_map(*size)
    graphs = build_graphs(x, mean_degree=12)
    data = union_data(graphs, x)
    local, mesh = (edges(graphs[kind].to_data()) for kind in ("local", "mesh"))
    assert edges(data) == mesh | local
    assert data.num_edges == len(mesh | local)
    is_local = [edge in local for edge in edges(data)]
    assert (data.edge_kind == 0).tolist() == is_local
    assert local.keys() & mesh.keys()


def test_nodes_are_numbered_once(feature_map, size) -> None:
    x = feature_map(*size)
    graphs = build_graphs(x)
    data = union_data(graphs, x)
    assert data.validate() and data.num_nodes % 2 == 0
    pos, padding = data.pos[: data.num_nodes // 2], data.padding[: data.num_nodes // 2]
    assert len(pos.unique(dim=0)) == len(pos)
    positions = torch.cat([g.cells.positions for g in graphs.values()]).unique(dim=0)
    assert len(positions) == len(pos)
    assert (~padding).sum() == size[0] * size[1] and not padding[: size[0] * size[1]].any()
    assert not data.x[data.padding].any()
    assert torch.equal(data.x[~data.padding], x.permute(0, 2, 3, 1).flatten(0, 2))
    for column, kind in enumerate(("local", "mesh")):
        alone = graphs[kind].to_data()
        assert torch.equal(data.target_degree[~data.padding, column], alone.target_degree[~alone.padding])
        assert torch.equal(data.cell[~data.padding, column], alone.cell[~alone.padding])


def test_sorted_and_batched(feature_map) -> None:
    x = feature_map(13, 21)
    data = union_data(build_graphs(x), x)
    source, target = data.edge_index
    assert ((target * data.num_nodes + source).diff() > 0).all()
    batch = Batch.from_data_list([union_data(build_graphs(image[None]), image[None]) for image in x])
    for name in ("edge_index", "edge_attr", "edge_kind", "x", "pos", "padding", "batch", "ptr", "degree"):
        assert torch.equal(batch[name], data[name]), name


def test_wrong_graphs_are_named(feature_map) -> None:
    graphs = build_graphs(feature_map(8, 8))
    with pytest.raises(ValueError, match="mesh is missing"):
        union_data({"local": graphs["local"]})
    with pytest.raises(ValueError, match="same maps"):
        union_data({"local": graphs["local"], "mesh": build_graphs(feature_map(8, 9))["mesh"]})


def test_degrees_and_no_padding_nodes(feature_map) -> None:
    graphs = build_graphs(feature_map(13, 21), padding=False, mean_degree=12)
    data = union_data(graphs)
    assert data.num_nodes == 2 * 273 and not data.padding.any()
    assert torch.equal(data.degree, data.edge_index[1].bincount(minlength=data.num_nodes))
    assert data.pos[22].tolist() == [1.0, 1.0] and data.validate()
