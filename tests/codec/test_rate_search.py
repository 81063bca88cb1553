"""The search on made-up curves: how many tries it takes, and where it ends when nothing fits."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from glic_pyg.codec.rate_search import MAX_TRIES, Try, Window, search

Curve = Callable[[float], float]

CURVES: dict[str, Curve] = {
    "straight": lambda q: 5 + q / 40,
    "bent": lambda q: 5 + 2.5 * math.sqrt(q / 100),
    "steeper and steeper": lambda q: 5 + 2.5 * (q / 100) ** 3,
    "a bump": lambda q: 5 + q / 40 + 0.2 * math.sin(q / 8),
}


def tried(curve: Curve, window: Window) -> tuple[Try[str], list[float]]:
    qualities: list[float] = []

    def attempt(quality: float) -> tuple[float, str]:
        qualities.append(quality)
        return curve(quality), f"at {quality}"

    return search(attempt, window), qualities


def window(aim: float, half: float = 0.01) -> Window:
    return Window(aim - half, aim + half, "most", 0.025)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.4, 0.5, 0.7, 0.9, 0.99])
def test_found_in_few_tries(name: str, share: float) -> None:
    wanted = window(5 + 2.5 * share)
    found, qualities = tried(CURVES[name], wanted)
    assert wanted.holds(found.measure) and found.measure == CURVES[name](found.quality)
    assert found.result == f"at {found.quality}"
    assert len(qualities) <= (2 if name == "straight" else 9)
    assert all(round(q, 2) == q and 0 <= q <= 100 for q in qualities)
    assert len(set(qualities)) == len(qualities), "nothing is tried twice"


@pytest.mark.parametrize(("aim", "end"), [(3.0, 0.0), (4.9, 0.0), (7.6, 100.0), (9.0, 100.0)])
@pytest.mark.parametrize("name", CURVES)
def test_out_of_reach_ends_at_an_end(name: str, aim: float, end: float) -> None:
    found, qualities = tried(CURVES[name], window(aim))
    assert found.quality == end and len(qualities) <= 6


@pytest.mark.parametrize("promise", ["least", "most"])
def test_a_stair_without_a_step_in_the_window(promise: str) -> None:
    """The nearest step on the promised side is taken, after a bounded number of tries."""
    wanted = Window(6.09, 6.11, promise, 0.025)  # type: ignore[arg-type]
    found, qualities = tried(lambda q: 5 + math.floor(q / 10) / 4, wanted)
    assert found.measure == (6.25 if promise == "least" else 6.0)
    assert len(qualities) <= MAX_TRIES


def test_a_measure_that_does_not_move() -> None:
    found, qualities = tried(lambda q: 6.0, window(7.0))
    assert found.quality == 100 and len(qualities) <= 5
