from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glic_pyg.graph import local_cells, mesh_cells
from glic_pyg.graph.similarity import (
    CellSimilarities,
    edge_similarity,
    exact_features,
    exact_unit_features,
    unit_features,
)


def test_rows_have_length_one_and_padding_is_zero() -> None:
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


def test_decoded_latents_are_left_as_they_are(latents: Tensor) -> None:
    assert torch.equal(exact_features(latents), latents)
    assert torch.equal(exact_features(latents.float()), latents)


def test_similarities_do_not_depend_on_the_order_of_channels(latents: Tensor) -> None:
    rows = latents[0].flatten(1).T
    order = torch.randperm(rows.shape[1], generator=torch.Generator().manual_seed(0))
    one, other = exact_unit_features(rows), exact_unit_features(rows[:, order])
    assert torch.equal(one[:, order], other)
    assert torch.equal(one @ one.T, other @ other.T)
    plain = torch.nn.functional.normalize(rows, dim=1)
    assert not torch.equal(plain @ plain.T, plain[:, order] @ plain[:, order].T), "nothing to be exact about"
    assert (one[:-1] @ one.T - plain @ torch.cat([plain, plain[:1] * 0]).T).abs().max() < 1e-5


def test_similarities_are_the_true_sums(latents: Tensor) -> None:
    rows = exact_unit_features(latents[0].flatten(1).T)[:3]
    products = rows @ rows.T
    for i in range(3):
        for j in range(3):
            terms = zip(rows[i].tolist(), rows[j].tolist(), strict=True)
            assert Fraction(products[i, j].item()) == sum(Fraction(a) * Fraction(b) for a, b in terms)
