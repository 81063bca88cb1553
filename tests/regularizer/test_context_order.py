"""Which samples each family's context reaches: raster, channel groups, checkerboard."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from glic_pyg.regularizer.families import ChannelSliceSource, ELICSource
from glic_pyg.regularizer.layers import CellGrid
from glic_pyg.regularizer.mlicpp import MLICppSource
from glic_pyg.regularizer.source_model import SourceModel

SIDE = 8  # cells


def reached(model: SourceModel, channel: int, row: int, column: int) -> Tensor:
    """(C, SIDE, SIDE) bool: whose distribution moves with a sample of the cell grid."""
    grid = CellGrid(2)
    error, features = (torch.randn(1, grid.channels, SIDE, SIDE).double() for _ in range(2))
    other = error.clone()
    other[0, channel, row, column] += 3
    with torch.no_grad():
        differences = (model.predict(error, features) - model.predict(other, features)).abs() > 1e-9
    delta, rho = differences[0].chunk(2)
    return delta | rho


@pytest.mark.parametrize("family", ["hyperprior"], indirect=True)
def test_hyperprior_has_none(awake: SourceModel) -> None:
    assert not reached(awake, 4, 3, 3).any()


@pytest.mark.parametrize("family", ["autoregressive", "attention"], indirect=True)
def test_raster_order(awake: SourceModel) -> None:
    """A cell reaches two cells to its right and the two rows below, all samples there, none of its own."""
    expected = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    expected[3, 4:6] = True
    expected[4:6, 1:6] = True
    found = reached(awake, 4, 3, 3)
    assert torch.equal(found.any(0), expected) and torch.equal(found.all(0), expected)


@pytest.mark.parametrize("family", ["elic", "glic", "mlicpp"], indirect=True)
@pytest.mark.parametrize("row", [3, 4])
def test_groups_and_checkerboard(awake: SourceModel, family: str, row: int) -> None:
    """An anchor reaches the other sites of its group and later groups; they reach later groups alone."""
    assert isinstance(awake, ChannelSliceSource)
    column = 3
    first, second = awake.before[1:3]
    found = reached(awake, first, row, column)
    own = found[first:second].any(0)
    is_anchor = (row + column) % 2 == (1 if family == "mlicpp" else 0)
    assert not found[:first].any()
    assert own.any() == is_anchor
    sites = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
    assert not own[sites % 2 == (row + column) % 2].any()
    assert found[second:].any(0)[row, column]


@pytest.mark.parametrize("family", ["elic", "glic"], indirect=True)
def test_spatial_context_is_a_window(awake: SourceModel, family: str) -> None:
    found = reached(awake, 0, 4, 4)[:3].any(0)
    rows, columns = found.nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 6, 2, 6)


@pytest.mark.parametrize("family", ["mlicpp"], indirect=True)
def test_global_context_reaches_far(awake: SourceModel) -> None:
    """Two slices on, the whole map: attention between slices. In its own slice the local window alone."""
    assert reached(awake, 0, 0, 1)[8:, -1, -1].any()
    assert not reached(awake, 0, 0, 1)[:4, -1, -1].any()


def test_groups_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="sum to 15, not to the 12 samples"):
        ELICSource(groups=(3, 12), patch=2)
    with pytest.raises(ValueError, match="do not divide into 5 slices"):
        MLICppSource(slices=5, patch=2)
