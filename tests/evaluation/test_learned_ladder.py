from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.codec.goal import Goal
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.learned_ladder import QUALITIES, learned_ladders

Pixels = NDArray[np.uint8]


@dataclass
class File:
    data: bytes
    estimated_bits: float | None = None


class Asked:
    """A codec whose file says what was asked."""

    def __init__(self, name: str, variable_rate: bool) -> None:
        self.name, self.variable_rate = name, variable_rate

    def encode(self, source: Pixels, *, goal: Goal | None = None, estimate: bool = False) -> File:
        return File(f"{self.name} {goal}".encode())

    def decode(self, data: bytes) -> None:
        raise AssertionError("nothing is decoded here")


def test_variable_rate_is_a_curve_of_its_own(picture: Pixels) -> None:
    rungs = learned_ladders([Asked("glic_xs", True), Asked("glic_s", True)], [0, 37.5])
    assert [(rung.codec, rung.setting) for rung in rungs] == [
        ("glic_xs", "quality 0"), ("glic_xs", "quality 37.5"),
        ("glic_s", "quality 0"), ("glic_s", "quality 37.5"),
    ]  # fmt: skip
    assert rungs[3].encode(picture) == f"glic_s {Goal('quality', 37.5)}".encode()
    assert {rung.identity for rung in rungs} == {None}
    assert len(learned_ladders([Asked("glic_xs", True)])) == len(QUALITIES)


def test_fixed_rates_of_one_model_make_one_curve(picture: Pixels) -> None:
    names = ["glic-0.0035", "glic-1e-4", "glic_s-0.05", "mine", "glic_xs-variable"]
    rungs = learned_ladders([Asked(name, False) for name in names], identities=list("abcde"))
    assert [(rung.codec, rung.setting) for rung in rungs] == [
        ("glic-λ", "λ 0.0035"), ("glic-λ", "λ 1e-4"), ("glic_s-λ", "λ 0.05"),
        ("mine", "its one rate"), ("glic_xs-variable", "its one rate"),
    ]  # fmt: skip
    assert rungs[0].encode(picture) == b"glic-0.0035 None"
    assert [rung.identity for rung in rungs] == list("abcde")


def test_a_fixed_rate_is_not_put_on_the_curve_of_a_variable_one() -> None:
    rungs = learned_ladders([Asked("glic_xs", True), Asked("glic_xs-0.0025", False)], [50])
    assert [rung.codec for rung in rungs] == ["glic_xs", "glic_xs-λ"]


def test_two_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(GlicError, match="Two weights are called last; rename one"):
        learned_ladders([Asked("last", False), Asked("last", False)])
