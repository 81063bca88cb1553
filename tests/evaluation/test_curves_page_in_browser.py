"""The page of rate-distortion curves in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from glic_pyg.evaluation.curve_plots import curves_page
from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.published import published_curves
from tests.browser import WIDTHS, OpenPage, out_of_reach, overflow

OURS = Curve("ours", (0.1, 0.2, 0.4), (28.0, 31.0, 34.0), (0.9, 0.95, 0.98), "measured here")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("curves") / "curves.html"
    path.write_text(curves_page([OURS, *published_curves("kodak").values()], "Kodak"), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_sound_on_phones_and_desks(open_page: OpenPage, page_file: Path, width: int, dark: bool) -> None:
    page = open_page(page_file, width=width, dark=dark)
    assert page.locator("#plot polyline").count() > 5
    assert overflow(page) == 0
    assert out_of_reach(page, "select, input, button") == []


def test_pointing_at_a_curve_tells_its_numbers(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    page.locator("#legend button").first.wait_for()
    for button in page.locator("#legend button").all()[1:]:
        button.click()
    page.locator("#plot circle").nth(1).hover()
    assert page.locator("#said").text_content() == "ours: 0.2000 bpp, 31.000 dB (psnr) · measured here"


def test_metrics_and_rates_can_be_chosen(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    page.locator("#metric").select_option("ms-ssim")
    page.locator("#log").check()
    assert "MS-SSIM" in page.locator("#plot").text_content()
    before = page.locator("#plot circle").count()
    page.locator("#right").fill("0.1")
    assert 0 < page.locator("#plot circle").count() < before
