"""Figures and the page of rate-distortion curves."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP, PillowCodec
from glic_pyg.evaluation.curve_plots import (
    baseline_curve,
    curves_figure,
    curves_page,
    draw_rate_point,
    rate_point_figure,
    with_metric,
)
from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.published import published_curves

KODAK = list(published_curves("kodak").values())
JPEG_CURVE = Curve("JPEG", (0.1, 0.3, 5.0), (28.0, 31.0, 40.0), None, "here")
Pixels = NDArray[np.uint8]
TINY = Curve("</script><b>", (0.1, 0.2), (30.0, 33.0), (0.9, 0.99), "here")


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_image_files(kind: str, start: bytes) -> None:
    assert curves_figure([TINY], "ms-ssim", "A title", kind=kind).startswith(start)


def test_published_curves_stand_beside_measured_ones() -> None:
    alone = curves_figure([TINY], "psnr", "A title", kind="svg").decode()
    svg = curves_figure([TINY], "psnr", "A title", beside=[KODAK[0]], kind="svg").decode()
    assert KODAK[0].name in svg and KODAK[0].name not in alone


def test_curves_that_were_not_measured_so_are_left_out() -> None:
    names = [curve.name for curve in with_metric(KODAK, "ms-ssim")]
    assert "BPG 4:4:4" in names and "GLIC" not in names
    svg = curves_figure(KODAK, "ms-ssim", "Kodak", kind="svg").decode()
    assert "BPG 4:4:4" in svg and "GLIC" not in svg


def test_the_page_holds_every_point_and_loads_nothing() -> None:
    page = curves_page([TINY, *KODAK], "Kodak <24>")
    data = json.loads(re.search(r"const data = (.*);\n", page)[1])  # type: ignore[index]
    assert [curve["name"] for curve in data["curves"]] == ["</script><b>", *(c.name for c in KODAK)]
    assert data["curves"][0]["psnr"] == [[0.1, 30.0], [0.2, 33.0]]
    assert data["curves"][0]["ms-ssim"] == [[0.1, pytest.approx(10)], [0.2, pytest.approx(20)]]
    assert "<title>Kodak &lt;24&gt;</title>" in page
    assert page.count("</script>") == 1 and not re.search(r"(src|href)=|https?:|import ", page)


@pytest.mark.parametrize("codec", [JPEG, WEBP])
def test_a_curve_rises(pixels: Pixels, codec: PillowCodec) -> None:
    curve = baseline_curve([pixels], codec, (5, 40, 90))
    assert all(a < b for values in (curve.bpp, curve.psnr) for a, b in pairwise(values))


def test_a_curve_is_the_mean_over_images(pixels: Pixels) -> None:
    singles = [baseline_curve([p], JPEG, (30,)) for p in (pixels, pixels[:24])]
    both = baseline_curve([pixels, pixels[:24]], JPEG, (30,))
    assert both.bpp[0] == pytest.approx(sum(p.bpp[0] for p in singles) / 2)
    assert both.psnr[0] == pytest.approx(sum(p.psnr[0] for p in singles) / 2)


def test_what_is_drawn() -> None:
    axes = Figure().add_subplot()
    draw_rate_point(axes, [JPEG_CURVE], 0.25, 33.0)
    line, point = axes.get_lines()
    assert np.allclose(line.get_xydata(), [[0.1, 28.0], [0.3, 31.0]])  # the far point is cut off
    assert np.allclose(point.get_xydata(), [[0.25, 33.0]])
    assert [text.get_text() for text in axes.texts] == ["JPEG", "GLIC"]


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_image_files_of_one_point(kind: str, start: bytes) -> None:
    data = rate_point_figure([JPEG_CURVE], 0.25, 33.0, "Mean", kind=kind)
    assert data.startswith(start)
