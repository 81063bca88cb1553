"""Curves of the study against each other: BD-rates, seeds, spread."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from glic_pyg.evaluation.bd_rate import Method
from studies.rate_distortion import Point, bd_percent
from studies.regularizer.curves import Curves
from studies.regularizer.measuring import Finished
from studies.regularizer.plan import Run

CURVE = [Point(0.1, 27.0), Point(0.2, 29.0), Point(0.4, 31.0), Point(0.7, 33.5)]


@pytest.mark.parametrize("fit", ["pchip", "akima"])
def test_a_tenth_less_rate_is_ten_percent(fit: Method) -> None:
    less = [Point(0.9 * point.bpp, point.psnr) for point in CURVE]
    assert bd_percent(CURVE, less[::-1], fit) == pytest.approx(-10)


@pytest.mark.parametrize(
    "test",
    [
        CURVE[:1],
        [*CURVE[:3], Point(0.7, 30.0)],
        [Point(point.bpp, point.psnr + 20) for point in CURVE],
    ],
    ids=["too few", "falls", "elsewhere"],
)
def test_no_bd_rate_where_there_is_none(test: Sequence[Point]) -> None:
    assert bd_percent(CURVE, test) is None


def curves_of(rates: dict[tuple[str, int], float]) -> Curves:
    """Curves of ``CURVE`` with all rates multiplied, by kind and seed."""
    lmbdas = [0.04, 0.03, 0.02, 0.01]
    finished = []
    for (kind, seed), factor in rates.items():
        alpha = 0.0 if kind == "plain" else 0.1
        for lmbda, point in zip(lmbdas, CURVE, strict=True):
            run = Run("c", seed, lmbda, kind, alpha, "base", 1)  # type: ignore[arg-type]
            images = [(factor * more * point.bpp, point.psnr) for more in (0.9, 1.1)]
            sets = {"kodak": {"points": [images]}}
            finished.append(Finished(run, {"sets": sets, "training": {}}))
    return Curves(finished, {"c": lmbdas})


def test_each_seed_is_held_against_itself() -> None:
    curves = curves_of(
        {
            ("plain", 0): 1.0,
            ("plain", 1): 2.0,
            ("regularized", 0): 0.9,
            ("regularized", 1): 1.9,
            ("control", 0): 1,
        }
    )
    assert curves.bd("c", 0.1, "kodak", "regularized").values == pytest.approx((-10, -5))
    assert curves.bd("c", 0.1, "kodak", "control").values == pytest.approx((0,), abs=1e-9)
    assert curves.bd("c", 0.1, "kodak", "regularized", "control").values == pytest.approx((-10,))
    assert curves.bd("c", 0.1, "science", "regularized").values == ()
    rate, quality = curves.shift("c", 0.1, "kodak", "regularized")
    assert rate.values == pytest.approx((-10, -5)) and quality.values == pytest.approx((0, 0))


def test_standard_error_is_over_images_each_against_itself() -> None:
    """Two images with BD-rates of -5 and -20 %, alike for both seeds."""
    runs = {}
    for seed in (0, 1):
        for kind, factors in (("plain", (1.0, 2.0)), ("regularized", (0.95, 1.6))):
            images = [[(factor * point.bpp, point.psnr) for factor in factors] for point in CURVE]
            run = Run("c", seed, 0.01, kind, 0.0 if kind == "plain" else 0.1, None, 1)  # type: ignore[arg-type]
            runs[run] = {"sets": {"kodak": {"points": images}}, "training": {}}
    curves = Curves([Finished(run, record) for run, record in runs.items()], {"c": [0.01]})
    assert curves.standard_error("c", 0.1, "kodak", "regularized") == pytest.approx(7.5)
    assert curves.standard_error("c", 0.1, "science", "regularized") is None
