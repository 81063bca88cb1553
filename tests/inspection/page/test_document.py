"""The page as a file: it loads nothing, is written atomically, and fits its size."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from glic_pyg.inspection.inspect import Inspection, inspect_image
from glic_pyg.inspection.page import document, write_page
from glic_pyg.inspection.page.document import fitted_panel, joined_scripts
from glic_pyg.models.glic import GLIC
from tests.browser import WIDTHS, OpenPage, overflow


def test_the_page_loads_nothing(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    assert not re.search(r"https?:|(src|href)=|@import|^import |^export |\{\{", text, re.MULTILINE)
    assert "default-src 'none'" in text


def test_every_module_is_in_the_script_below_what_it_imports() -> None:
    folder = Path(document.__file__).parent / "js"
    modules = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.js")}
    script = joined_scripts()
    names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", script, re.MULTILINE)
    assert len(set(names)) == len(names) > 60
    place = {name: script.index(_first_lines(text)) for name, text in modules.items()}
    for name, text in modules.items():
        for imported in re.findall(r'from "\./(\w+)\.js"', text):
            assert place[imported] < place[name], f"{name} imports {imported}"


def _first_lines(module: str) -> str:
    return re.sub(r"^import [^;]*;\n", "", module, flags=re.MULTILINE).strip()[:120].replace("export ", "")


def test_names_are_no_markup(two_file: Path) -> None:
    text = two_file.read_text(encoding="utf-8")
    assert "<title>noise and &lt;b&gt;turned&lt;/b&gt; · " in text and "<b>" not in text


def test_a_page_is_replaced_by_a_whole_one(
    inspection: Inspection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    monkeypatch.setattr(os, "replace", _fail)
    with pytest.raises(OSError, match="disk"):
        write_page(inspection, path)
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"] and path.read_text() == "before"


def _fail(*_: object) -> None:
    raise OSError("disk")


def test_all_nodes_of_a_small_image(inspection: Inspection) -> None:
    assert fitted_panel(inspection, None, "a")[0]["pitch"] == 4


@pytest.mark.parametrize("pitch", [64, 48, 32, 24, 16, 8])
def test_the_most_nodes_that_fit(inspection: Inspection, pitch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_PITCHES", (pitch,))
    monkeypatch.setattr(document, "_BETWEEN", {})
    size = fitted_panel(inspection, None, "a")[1].size
    monkeypatch.undo()
    monkeypatch.setattr(document, "LIMIT", size)
    panel, streams = fitted_panel(inspection, None, "a")
    assert panel["pitch"] == pitch and streams.size == size


PROMISED = 5_000_000  # bytes


@pytest.fixture(scope="module")
def full_size_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of noise that gets rougher from left to right, so that neither the image nor its graphs are easy."""
    torch.manual_seed(0)
    noise = np.random.default_rng(0).normal(size=(512, 768, 3)) * np.linspace(0, 60, 768)[:, None]
    image = np.clip(128 + noise, 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("page") / "full.html"
    write_page(inspect_image(GLIC().eval(), image, name="noise"), path)
    return path


@pytest.mark.slow
def test_below_five_megabytes(full_size_file: Path) -> None:
    assert full_size_file.stat().st_size < PROMISED


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_layer_and_head_can_be_chosen(open_page: OpenPage, full_size_file: Path, width: int) -> None:
    page = open_page(full_size_file, width=width)
    settled = page.locator(".panel[aria-busy=false]")
    settled.wait_for()
    assert overflow(page) == 0
    for chooser, count in (("layer", 5), ("head", 8)):
        options = page.locator(f"#{chooser} option")
        assert options.count() == count + 1
        page.locator(f"#{chooser}").select_option(index=count)
    settled.wait_for()
    assert page.locator(".view .graph circle").count() > 1
    assert "of its attention to itself" in page.locator(".sentences").text_content()
