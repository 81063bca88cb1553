"""The interactive leaderboard in a real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studies.leaderboard.interactive import leaderboard_page
from studies.leaderboard.rows import leaderboard_rows
from tests.browser import WIDTHS, OpenPage, out_of_reach, overflow
from tests.studies.test_leaderboard import OURS, SIZES


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("leaderboard") / "leaderboard.html"
    path.write_text(leaderboard_page(leaderboard_rows([OURS], SIZES)), encoding="utf-8")
    return path


def cells(page: Any, column: int) -> list[str]:
    return [cell.strip() for cell in page.locator(f"#body td:nth-child({column})").all_text_contents()]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_sound_on_phones_and_desks(open_page: OpenPage, page_file: Path, width: int, dark: bool) -> None:
    page = open_page(page_file, width=width, dark=dark)
    assert page.locator("#plot circle").count() > 20
    assert overflow(page) == 0
    assert out_of_reach(page, "select, input") == []


def test_the_table_sorts_by_any_column(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    assert cells(page, 1)[:3] == ["HPCM-Large", "GLIC", "DCAE"]
    page.locator("th button").nth(0).click()
    names = [name.lower() for name in cells(page, 1)]
    assert names == sorted(names) and len(names) > 60
    page.locator("th button").nth(6).click()
    assert cells(page, 1)[0].startswith("LotteryCodec (1.7") and cells(page, 7)[-1] == "–"
    page.locator("th button").nth(6).click()
    assert cells(page, 1)[0] == "HPCM-Large" and cells(page, 7)[-1] == "–"


def test_other_images_anchors_and_names(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    page.locator("#find").fill("mlic++")
    assert cells(page, 3) == ["−15.1"] and cells(page, 5) == ["−14.4"]
    page.locator("#set").select_option("clic-pro-valid")
    page.locator("#anchor").select_option("1")
    assert cells(page, 3) == ["−13.1"] and "clic" in cells(page, 8)[0]
    page.locator("#body tr").click()
    said = page.locator("#said").text_content()
    assert "−14.5 % against VTM-9.1, −13.1 % against VTM-17.0; decoder 762.9 kMAC/px" in said
    assert "licence: Apache-2.0" in said and "-13.39 against VTM-17.0" in said
