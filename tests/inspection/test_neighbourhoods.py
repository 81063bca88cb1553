from itertools import combinations

import numpy as np
import pytest
import torch

from glic_pyg.graph import WindowGraph
from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.neighbourhoods import degree_map, neighbours, telling_nodes


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_degrees_are_the_edges_that_end_at_a_node(graphs: BlockGraphs, kind: str) -> None:
    graph: WindowGraph = getattr(graphs, kind)
    targets = graph.edge_index(attended=True)[1]
    counts = torch.bincount(targets, minlength=32 * 32)[: 32 * 32].view(32, 32)
    assert np.array_equal(degree_map(graph), counts.numpy())


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("node", [(0, 0), (13, 20), (31, 5)])
def test_neighbours_are_the_sources_on_the_map(graphs: BlockGraphs, kind: str, node: tuple[int, int]) -> None:
    graph: WindowGraph = getattr(graphs, kind)
    source, target = graph.edge_index(attended=True)
    mine = source[target == node[0] * 32 + node[1]]
    expected = {divmod(i, 32) for i in mine.tolist() if i < 32 * 32}
    assert {tuple(position) for position in neighbours(graph, node).tolist()} == expected


def test_telling_nodes_differ_in_degree_and_lie_apart() -> None:
    degrees = np.add.outer(np.arange(40.0), np.arange(60.0))
    nodes = telling_nodes(degrees)
    many, usual, few = (degrees[node] for node in nodes)
    assert many > np.percentile(degrees, 90) > usual > np.percentile(degrees, 20) > few
    assert all(np.hypot(a[0] - b[0], a[1] - b[1]) >= 10 for a, b in combinations(nodes, 2))
    assert all(4 <= row < 36 and 6 <= column < 54 for row, column in nodes)


def test_telling_nodes_of_a_tiny_or_flat_map() -> None:
    assert len(telling_nodes(np.ones((1, 1)))) == 3
    assert len(set(telling_nodes(np.ones((20, 20))))) == 3
