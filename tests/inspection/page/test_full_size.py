"""A page of the model as it was released, in size: untrained weights, a photo of 768 x 512 pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from glic_pyg.inspection.inspection import inspect_picture
from glic_pyg.inspection.page import write_page
from glic_pyg.models.glic import GLIC
from tests.browser import WIDTHS, OpenPage, overflow

PROMISED = 5_000_000  # bytes


@pytest.fixture(scope="module")
def full_size_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of noise that gets rougher from left to right, so that neither the picture nor its graphs are easy."""
    torch.manual_seed(0)
    noise = np.random.default_rng(0).normal(size=(512, 768, 3)) * np.linspace(0, 60, 768)[:, None]
    photo = np.clip(128 + noise, 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("page") / "full.html"
    write_page(inspect_picture(GLIC().eval(), photo, picture="noise"), path)
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
