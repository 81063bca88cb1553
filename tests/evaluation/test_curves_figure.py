"""Pictures and the page of rate-distortion curves."""

import json
import re

import pytest

from glic_pyg.evaluation.curve import Curve
from glic_pyg.evaluation.curves_figure import curves_figure, with_metric
from glic_pyg.evaluation.curves_page import curves_page
from glic_pyg.evaluation.published import published_curves

KODAK = list(published_curves("kodak").values())
TINY = Curve("</script><b>", (0.1, 0.2), (30.0, 33.0), (0.9, 0.99), "here")


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_picture_files(kind: str, start: bytes) -> None:
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
