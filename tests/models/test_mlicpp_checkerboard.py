"""Halves of a map, and the map again."""

from __future__ import annotations

import torch

from glic_pyg.models.checkerboard import ANCHORS, OTHERS, half_of, is_anchor, only, weave

MAP = torch.arange(24).view(1, 1, 4, 6)


def test_halves_by_hand() -> None:
    assert half_of(MAP, ANCHORS)[0, 0].tolist() == [[1, 3, 5], [6, 8, 10], [13, 15, 17], [18, 20, 22]]
    assert half_of(MAP, OTHERS)[0, 0].tolist() == [[0, 2, 4], [7, 9, 11], [12, 14, 16], [19, 21, 23]]


def test_woven_halves_are_the_map() -> None:
    assert torch.equal(weave(half_of(MAP, OTHERS), half_of(MAP, ANCHORS)), MAP)


def test_one_half_alone() -> None:
    anchors = is_anchor(4, 6, MAP.device)
    assert not anchors[0, 0] and anchors[0, 1] and anchors.sum() == 12
    assert torch.equal(only(half_of(MAP, ANCHORS), ANCHORS), MAP * anchors)
    assert torch.equal(only(half_of(MAP, OTHERS), OTHERS), MAP * ~anchors)
