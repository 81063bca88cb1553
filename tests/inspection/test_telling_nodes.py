from itertools import combinations

import numpy as np

from glic_pyg.inspection.telling_nodes import telling_nodes


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
