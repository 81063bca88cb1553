import pytest

from glic_pyg.evaluation.rate import bpp, estimate_holds


def test_bpp_counts_the_pictures_own_pixels() -> None:
    assert bpp(1000, 100, 40) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("size", "holds"), [(10_000, True), (10_164, True), (10_165, False), (9_836, True), (9_835, False)]
)
def test_estimate_holds_within_1_percent_and_64_bytes(size: int, holds: bool) -> None:
    assert estimate_holds(size, 80_000.0) == holds
