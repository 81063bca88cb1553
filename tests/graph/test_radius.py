from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from glic_pyg.graph import RadiusGraphBuilder, build_graphs, build_radius_graph, within_radius
from glic_pyg.graph import radius as module
from glic_pyg.graph.threshold import bisect, keep_top


def lattice(height: int, width: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(height), torch.arange(width)).view(-1, 2)


def test_discs_of_a_cell_lie_in_its_window() -> None:
    columns = module.disc_columns(2)
    assert columns.shape == (64, 13)
    centre = torch.stack([columns // 12, columns % 12], -1).double().mean(1)
    assert torch.equal(centre, lattice(8, 8).double() + 2)


METHODS = ["bisection", "exact"]
SCOPES = ["image", "cell"]


@pytest.mark.parametrize("radius", [1, 2.3, 5])
def test_with_the_largest_budget_all_candidates_are_kept(feature_map, size, radius: float) -> None:
    pos = torch.cartesian_prod(*map(torch.arange, size)).view(-1, 2)
    candidates = within_radius(pos, pos, radius)
    most = int(candidates[1].bincount().max()) if min(size) > 10 else {1: 5, 2.3: 21, 5: 81}[radius]
    data = build_radius_graph(feature_map(*size), radius=radius, mean_degree=most, method="exact")
    assert torch.equal(data.edge_index, torch.cat([candidates, candidates + len(pos)], 1))


@pytest.mark.parametrize("method", METHODS)
def test_every_node_chooses_among_its_disc(feature_map, method) -> None:
    x = feature_map(13, 21, batch=1, dtype=torch.float64)
    data = build_radius_graph(x, radius=4, mean_degree=15, method=method)
    candidates = within_radius(data.pos, data.pos, 4)
    unit = torch.nn.functional.normalize(data.x, dim=-1)
    expected = []
    for node in range(data.num_nodes):
        sources = candidates[0][candidates[1] == node]
        choose = bisect if method == "bisection" else keep_top
        kept = choose((unit[sources] * unit[node]).sum(-1)[None], data.target_degree[node : node + 1])[
            0
        ].bool()
        expected += [[source, node] for source in sources[kept if kept.any() else slice(None)].tolist()]
    assert data.edge_index.T.tolist() == expected


@pytest.mark.parametrize("scope", SCOPES)
def test_exact_meets_the_budget_to_the_edge(feature_map, scope) -> None:
    data = build_radius_graph(feature_map(40, 24), radius=5, mean_degree=20.3, scope=scope, method="exact")
    assert torch.equal(data.edge_index[1].bincount(), data.degree)
    assert torch.equal(data.degree, data.target_degree.long())
    tile = data.pos[:, 1].long() // 8 * 3 + data.pos[:, 0].long() // 8 + 15 * data.batch
    groups = data.batch if scope == "image" else tile
    nodes = 40 * 24 if scope == "image" else 64
    assert (
        torch.zeros(groups.max() + 1).index_add_(0, groups, data.target_degree) == round(nodes * 20.3)
    ).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scope", SCOPES)
def test_data_of_any_size(feature_map, size, method, scope) -> None:
    x = feature_map(*size)
    builder = RadiusGraphBuilder(radius=5, mean_degree=30, method=method, scope=scope)
    data = builder(x)
    source, target = data.edge_index
    assert data.validate() and data.num_nodes == 2 * size[0] * size[1]
    assert ((target * data.num_nodes + source).diff() > 0).all()
    assert torch.equal(data.edge_attr, (data.pos[source] - data.pos[target]).flip(-1).long() + 4)
    assert torch.equal(data.batch[source], data.batch[target])
    assert not data.padding.any() and (target.bincount(minlength=data.num_nodes) > 0).all()
    alone = [builder(image[None]) for image in x]
    assert torch.equal(Batch.from_data_list(alone).edge_index, data.edge_index)


@pytest.mark.parametrize("method", METHODS)
def test_threads_do_not_matter(feature_map, threads, method) -> None:
    x = feature_map(190, 200, batch=1, channels=4)
    found = []
    for count in (1, 2):
        threads(count)
        found.append(build_radius_graph(x, radius=3, mean_degree=12, method=method).edge_index)
    assert torch.equal(*found)


def test_a_displacement_reads_the_bias_it_has_in_a_local_cell(feature_map) -> None:
    x = feature_map(24, 24)
    graphs = [build_graphs(x)["local"].to_data(), build_radius_graph(x, radius=11)]
    for data in graphs:
        source, target = data.edge_index
        assert torch.equal(data.edge_attr - 4, (data.pos[source] - data.pos[target]).flip(-1).long())
        assert data.edge_attr.min() >= -7 and data.edge_attr.max() <= 15


def test_edge_similarity_is_the_cosine(feature_map) -> None:
    data = RadiusGraphBuilder(radius=3, mean_degree=10)(feature_map(9, 9), similarity=True)
    expected = torch.nn.functional.cosine_similarity(*data.x[data.edge_index])
    torch.testing.assert_close(data.edge_similarity, expected)


def test_a_node_without_edges_gets_all_its_candidates() -> None:
    data = build_radius_graph(torch.ones(1, 4, 9, 9), radius=2, mean_degree=6)
    assert torch.equal(data.edge_index, within_radius(data.pos, data.pos, 2))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"radius": 0.5}, "radius 0.5"),
        ({"radius": 12}, "radius 12"),
        ({"radius": float("nan")}, "radius nan"),
        ({"radius": 3, "mean_degree": 64}, "mean degree of 64 does not fit the 29 positions"),
        ({"method": "best"}, "method 'best'"),
        ({"scope": "row"}, "scope 'row'"),
    ],
)
def test_wrong_settings_are_named(feature_map, settings, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_radius_graph(feature_map(8, 8), **settings)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_x_keeps_its_dtype(feature_map, dtype: torch.dtype) -> None:
    x = feature_map(9, 9).to(dtype)
    data = build_radius_graph(
        x,
        radius=2,
        mean_degree=6,
    )
    assert data.x.dtype == dtype and torch.equal(data.x[11], x[0, :, 1, 2])
    assert data.pos.dtype == torch.float32 and data.ptr.tolist() == [0, 81, 162] and data.validate()
