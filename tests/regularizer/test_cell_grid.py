"""Pixels to channels and back, coarse to fine."""

from __future__ import annotations

import pytest
import torch

from glic_pyg.regularizer.layers import CellGrid, coarse_to_fine


@pytest.mark.parametrize("patch", [1, 2, 4, 8, 16])
def test_round_trip(patch: int) -> None:
    grid = CellGrid(patch)
    pixels = torch.randn(2, 3, 2 * patch, 3 * patch)
    cells = grid.fold(pixels)
    assert cells.shape == (2, grid.channels, 2, 3)
    assert torch.equal(grid.unfold(cells), pixels)


def test_channels_are_phases_with_three_colours_each() -> None:
    row, column, colour = torch.arange(4).view(4, 1), torch.arange(4), torch.arange(3).view(3, 1, 1)
    cells = CellGrid(2).fold((100 * colour + 10 * row + column)[None].float())
    top_left = cells[0, :, 0, 0].view(4, 3).int().tolist()
    assert top_left == [[0, 100, 200], [11, 111, 211], [1, 101, 201], [10, 110, 210]]


@pytest.mark.parametrize("patch", [2, 4, 8, 16])
def test_every_doubling_completes_a_lattice(patch: int) -> None:
    """The first 2**k phases, continued over the plane, look the same from each of their points."""
    order = coarse_to_fine(patch)
    assert sorted(order) == list(range(patch**2))
    for count in (2**k for k in range(2 * patch.bit_length() - 1)):
        points = {divmod(place, patch) for place in order[:count]}
        for row, column in points:
            assert {((r + row) % patch, (c + column) % patch) for r, c in points} == points
        assert least_distance(points, patch) == patch**2 // count


def least_distance(points: set[tuple[int, int]], patch: int) -> int:
    """Square of the smallest distance of two points of the lattice that repeats every ``patch``."""
    offsets = [(r, c) for r in range(-patch, patch + 1) for c in range(-patch, patch + 1) if (r, c) != (0, 0)]
    return min(r * r + c * c for r, c in offsets if (r % patch, c % patch) in points)


@pytest.mark.parametrize("patch", [0, 3, 6, -2])
def test_a_cell_has_a_power_of_two(patch: int) -> None:
    with pytest.raises(ValueError, match="power of 2"):
        CellGrid(patch)
