import pytest

from glic_pyg.evaluation.bd_rate import METHODS, Method, bd_psnr, bd_rate
from glic_pyg.evaluation.curves import Curve, CurveError


def curve(name: str, rates: list[float], psnr: list[float], ms_ssim: list[float] | None = None) -> Curve:
    return Curve(name, tuple(rates), tuple(psnr), tuple(ms_ssim) if ms_ssim else None, "here")


RATES, DECIBELS = [0.1, 0.2, 0.4, 0.8, 1.6], [28.0, 30.5, 33.0, 36.0, 40.0]
ANCHOR = curve("anchor", RATES, DECIBELS)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_curve_at_four_fifths_of_the_rate(method: Method) -> None:
    cheaper = curve("cheaper", [0.8 * rate for rate in RATES], DECIBELS)
    assert bd_rate(ANCHOR, cheaper, method=method).value == pytest.approx(-20)
    assert bd_rate(ANCHOR, cheaper, method=method).overlap == 1
    assert bd_rate(cheaper, ANCHOR, method=method).value == pytest.approx(25)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_curve_half_a_decibel_higher(method: Method) -> None:
    better = curve("better", RATES, [psnr + 0.5 for psnr in DECIBELS])
    assert bd_psnr(ANCHOR, better, method=method).value == pytest.approx(0.5)
    assert bd_rate(ANCHOR, better, method=method).overlap == pytest.approx(11.5 / 12.5)


def test_numbers_of_points_may_differ() -> None:
    line = curve("line", [0.1, 1.6], [28.0, 40.0])
    assert bd_rate(line, curve("more", [0.05, 0.1, 0.2, 0.8], [28.0, 31.0, 34.0, 40.0])).value < -40


def test_ms_ssim_counts_in_decibels() -> None:
    similarities = [0.9, 0.99, 0.999]
    a = curve("a", [0.1, 0.2, 0.4], [1.0, 2.0, 3.0], similarities)
    b = curve("b", [0.1, 0.2, 0.4], [1.0, 2.0, 3.0], [1 - (1 - s) / 10**0.1 for s in similarities])
    assert bd_psnr(a, b, metric="ms-ssim").value == pytest.approx(1)
    with pytest.raises(CurveError, match=r"anchor \(here\) was measured without MS-SSIM"):
        bd_rate(a, ANCHOR, metric="ms-ssim")


def test_curves_that_cannot_be_compared() -> None:
    with pytest.raises(CurveError, match="anchor and far share no interval"):
        bd_rate(ANCHOR, curve("far", [2.0, 3.0], [41.0, 42.0]))
    with pytest.raises(CurveError, match="odd does not rise"):
        bd_rate(ANCHOR, curve("odd", [0.1, 0.2, 0.3], [28.0, 30.0, 29.0]))
    with pytest.raises(CurveError, match="short has 2 points; cubic needs 4"):
        bd_rate(ANCHOR, curve("short", [0.1, 1.6], [28.0, 40.0]), method="cubic")
    with pytest.raises(ValueError, match="rates ascending"):
        curve("back", [0.2, 0.1], [28.0, 30.0])
