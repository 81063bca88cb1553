from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from glic_pyg.graph import local_cells, mesh_cells
from glic_pyg.graph.similarity import CellSimilarities, edge_similarity, unit_features


def test_rows_have_length_one_and_the_phantom_is_zero() -> None:
    x = torch.randn(5, 7).double()
    x[2] = 0
    unit = unit_features(x)
    assert unit.shape == (6, 7)
    torch.testing.assert_close(unit[:5].norm(dim=1), torch.tensor([1.0, 1, 0, 1, 1]).double())
    assert not unit[5].any()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e30])
def test_values_without_a_direction_are_refused(bad: float) -> None:
    x = torch.ones(3, 2)
    x[1, 1] = bad
    with pytest.raises(ValueError, match="NaN, infinity or values too large"):
        unit_features(x)


@pytest.mark.parametrize("make", [local_cells, mesh_cells])
def test_blocks_of_cells_give_cosines(make, size) -> None:
    cells, x = make(*size), torch.randn(size[0] * size[1], 6).double()
    rows, padded = unit_features(x), F.pad(x, (0, 0, 0, 1))
    similarities = CellSimilarities(cells, rows)
    found = torch.cat([similarities(rows, part).clone() for part in similarities.parts])
    nodes, candidates = padded[cells.gather_nodes], padded[cells.gather_candidates]
    torch.testing.assert_close(found, F.cosine_similarity(nodes[:, :, None], candidates[:, None], dim=-1))


def test_similarity_of_edges() -> None:
    x, edges = torch.randn(9, 4).double(), torch.randint(0, 9, (2, 50))
    torch.testing.assert_close(edge_similarity(x, edges), F.cosine_similarity(x[edges[0]], x[edges[1]]))
