from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP, PillowCodec
from glic_pyg.evaluation.rate_distortion import RatePoint, classical_curve, draw_curves, rate_figure

Pixels = NDArray[np.uint8]
CURVE = [RatePoint(0.1, 28.0), RatePoint(0.3, 31.0), RatePoint(5.0, 40.0)]


@pytest.mark.parametrize("codec", [JPEG, WEBP])
def test_a_curve_rises(picture: Pixels, codec: PillowCodec) -> None:
    curve = classical_curve([picture], codec, (5, 40, 90))
    assert all(a.bpp < b.bpp and a.psnr < b.psnr for a, b in pairwise(curve))


def test_a_curve_is_the_mean_over_pictures(picture: Pixels) -> None:
    singles = [classical_curve([p], JPEG, (30,))[0] for p in (picture, picture[:24])]
    both = classical_curve([picture, picture[:24]], JPEG, (30,))[0]
    assert both.bpp == pytest.approx(sum(p.bpp for p in singles) / 2)
    assert both.psnr == pytest.approx(sum(p.psnr for p in singles) / 2)


def test_what_is_drawn() -> None:
    axes = Figure().add_subplot()
    draw_curves(axes, {"JPEG": CURVE}, RatePoint(0.25, 33.0))
    line, point = axes.get_lines()
    assert np.allclose(line.get_xydata(), CURVE[:2])  # the far point is cut off
    assert np.allclose(point.get_xydata(), [[0.25, 33.0]])
    assert [text.get_text() for text in axes.texts] == ["JPEG", "GLIC"]


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_picture_files(kind: str, start: bytes) -> None:
    data = rate_figure({"WebP": CURVE}, RatePoint(0.25, 33.0), "Mean", kind=kind)
    assert data.startswith(start)
