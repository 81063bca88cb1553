import math

import pytest

from glic_pyg.evaluation.curves import Curve
from glic_pyg.metrics import ms_ssim_db

ODD = Curve("odd", (1.0, 2.0, 2.5, 2.5, 4.0, 5.0, 6.0), (30, 29, 33, 34, 34, 34.5, math.inf), None, "here")


def test_what_costs_more_and_is_no_better_is_left_out() -> None:
    front = ODD.front()
    assert (front.bpp, front.psnr) == ((1.0, 2.5, 5.0), (30, 34, 34.5))
    assert (front.name, front.source) == ("odd", "here")


def test_each_metric_has_its_own_front() -> None:
    curve = Curve("c", (1.0, 2.0, 3.0), (30.0, 29.0, 31.0), (0.9, 0.95, 0.94), "here")
    assert curve.front().bpp == (1.0, 3.0) and curve.front().ms_ssim == (0.9, 0.94)
    assert curve.front("ms-ssim").bpp == (1.0, 2.0)
    assert curve.front("ms-ssim").decibels("ms-ssim") == (ms_ssim_db(0.9), ms_ssim_db(0.95))


def test_between_points_it_is_linear_in_the_logarithm() -> None:
    curve = Curve("c", (0.1, 0.4), (30.0, 34.0), None, "here")
    assert curve.psnr_at(0.2) == pytest.approx(32.0)
    assert (curve.psnr_at(0.1), curve.psnr_at(0.4)) == (pytest.approx(30.0), pytest.approx(34.0))
    assert curve.psnr_at(0.09) is None and curve.psnr_at(0.41) is None
