from __future__ import annotations

import pytest
import torch

from glic_pyg.graph import radius as room
from glic_pyg.graph import within_radius

RADII = [0, 1, 1.5, 5, 11, 40]


def lattice(height: int, width: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(height), torch.arange(width)).view(-1, 2)


@pytest.mark.parametrize("radius", RADII)
def test_pairs_by_their_distance(radius: float) -> None:
    targets, sources = lattice(7, 6), lattice(9, 4) - 3
    distance = torch.cdist(targets.double(), sources.double())
    expected = (distance <= radius + 1e-9).nonzero().flip(1).T
    assert torch.equal(within_radius(targets, sources, radius), expected)


@pytest.mark.parametrize("radius", RADII)
def test_the_fallback_equals_torch_cluster(monkeypatch, size, radius: float) -> None:
    pytest.importorskip("torch_cluster")
    nodes = lattice(*size)
    found = within_radius(nodes, nodes, radius)
    monkeypatch.setattr(room, "cluster_radius", None)
    monkeypatch.setattr(room, "PAIRS_AT_ONCE", 5000)
    assert torch.equal(within_radius(nodes, nodes, radius), found)


def test_nothing_is_cut_off() -> None:
    nodes = lattice(30, 30)
    assert within_radius(nodes, nodes, 100).shape[1] == 900 * 900


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf")])
def test_a_radius_that_makes_no_graph_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        within_radius(lattice(2, 2), lattice(2, 2), radius)


def test_discs_of_a_cell_lie_in_its_window() -> None:
    columns = room.disc_columns(2)
    assert columns.shape == (64, 13)
    centre = torch.stack([columns // 12, columns % 12], -1).double().mean(1)
    assert torch.equal(centre, lattice(8, 8).double() + 2)
