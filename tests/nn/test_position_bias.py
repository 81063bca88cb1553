"""The attention bias: its formula, and the table index that wraps."""

from __future__ import annotations

import math

import pytest
import torch

from glic_pyg.nn import PositionBias

# Offset of a candidate from its node, and row and column of the 23 x 23 table that it reads: the flat entry
# 23 (dy - 7) + (dx - 7) modulo 529, so that small offsets come from the end of the table.
ENTRIES = [
    ((7, 7), (0, 0)),
    ((15, 15), (8, 8)),
    ((7, 15), (0, 8)),
    ((0, 0), (15, 16)),
    ((-7, -7), (8, 9)),
    ((-7, 15), (9, 8)),
    ((15, -7), (7, 9)),
    ((8, 6), (0, 22)),
    ((7, 6), (22, 22)),
    ((4, 4), (19, 20)),
]


def by_hand(bias: PositionBias, row: int, column: int) -> torch.Tensor:
    """16 sigmoid(MLP(coordinates)) of one table entry."""
    deltas = [(side - 15) / 7 * 8 for side in (row, column)]
    point = torch.tensor([math.copysign(math.log2(abs(d) + 1) / 3, d) for d in deltas], dtype=torch.float64)
    first, _, last = bias.mlp
    hidden = (first.weight.double() @ point + first.bias.double()).clamp_min(0)
    return 16 * torch.sigmoid(last.weight.double() @ hidden)


@pytest.mark.parametrize(("offset", "entry"), ENTRIES)
def test_formula_at_golden_entries(offset: tuple[int, int], entry: tuple[int, int]) -> None:
    bias = PositionBias(3)
    torch.nn.init.normal_(bias.mlp[2].weight)
    got = bias(torch.tensor([offset]))[0].double()
    torch.testing.assert_close(got, by_hand(bias, *entry), rtol=1e-5, atol=1e-5)


def test_every_offset_of_a_cell_reads_its_own_entry() -> None:
    """The wrapped index still tells all 23 x 23 offsets apart."""
    bias = PositionBias(2).double()
    torch.nn.init.normal_(bias.mlp[2].weight)
    axis = torch.arange(-7, 16)
    values = bias(torch.cartesian_prod(axis, axis))
    assert values.shape == (529, 2)
    assert len(values.unique(dim=0)) == 529


def test_shape_follows_the_offsets() -> None:
    assert PositionBias(3)(torch.zeros(4, 5, 2, dtype=torch.long)).shape == (4, 5, 3)


def test_values_lie_between_0_and_16() -> None:
    bias = PositionBias(2)
    torch.nn.init.normal_(bias.mlp[2].weight, std=9)
    axis = torch.arange(-7, 16)
    values = bias(torch.cartesian_prod(axis, axis))
    assert values.min() < 0.1 and values.min() >= 0
    assert values.max() > 15.9 and values.max() <= 16


def test_network_is_the_released_one() -> None:
    shapes = [tuple(p.shape) for p in PositionBias(8).parameters()]
    assert shapes == [(512, 2), (512,), (8, 512)]


@pytest.mark.parametrize("offset", [(-8, 0), (0, 16), (16, 16), (-8, 15), (1000, 0)])
def test_offsets_without_an_entry_are_refused(offset: tuple[int, int]) -> None:
    """The index of the table wraps: they would read an entry of other offsets."""
    with pytest.raises(ValueError, match="offsets from -7 to 15"):
        PositionBias(2)(torch.tensor([(0, 0), offset]))


def test_integers_of_any_width_read_the_same_entries() -> None:
    bias, axis = PositionBias(2), torch.arange(-7, 16)
    offsets = torch.cartesian_prod(axis, axis)
    for dtype in (torch.int8, torch.int16, torch.int32):
        assert torch.equal(bias(offsets.to(dtype)), bias(offsets))


@pytest.mark.parametrize(
    "offsets", [torch.zeros(3, 2), torch.zeros(3, 3, dtype=torch.int64), torch.tensor(1)]
)
def test_what_is_no_offset_is_refused(offsets: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        PositionBias(2)(offsets)


def test_no_offsets_have_no_bias() -> None:
    assert PositionBias(2)(torch.zeros(0, 2, dtype=torch.int64)).shape == (0, 2)
