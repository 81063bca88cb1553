"""Maps over the photo, in a real Chromium: they are those of the arrays."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.inspection import Inspection
from tests.browser import OpenPage
from tests.inspection.page.pointing import hover, settled


@pytest.mark.parametrize("name", ["complexity", "degree", "bits", "error"])
def test_overlays_are_the_maps(
    open_page: OpenPage, page_file: Path, inspection: Inspection, name: str
) -> None:
    page, block = open_page(page_file), inspection.block("g_a stage 2")
    page.locator(f"#overlay input[value={name}]").check(force=True)
    settled(page)
    red, green, blue, _ = canvas(page)
    brightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    values = {
        "complexity": block.complexity[:17, :25],
        "degree": block.degree[:17, :25],
        "bits": inspection.bit_map[::16, ::16],
        "error": np.sqrt(inspection.error_map[:128].reshape(32, 4, 50, 4).mean((1, 3))),
    }[name]
    brightness = brightness[: len(values)]
    assert brightness.shape == values.shape
    order = np.argsort(values, axis=None)
    steps = np.diff(brightness.ravel()[order])
    assert steps.min() > -3 and np.ptp(brightness) > 100  # brighter where there is more, but for rounding
    assert page.locator(".scale").text_content().lower().startswith(name)


def test_a_tick_tells_where_on_the_scale_the_node_is(
    open_page: OpenPage, page_file: Path, inspection: Inspection
) -> None:
    page = open_page(page_file)
    page.locator("#overlay input[value=degree]").check(force=True)
    degree = inspection.block("g_a stage 2").degree[:17, :25]
    low, high = np.quantile(degree, (0.01, 0.99), method="nearest")
    for x, y in [(10, 10), (110, 66), (190, 117)]:
        hover(page, x, y)
        left = page.locator(".scale .tick").evaluate("tick => tick.style.left")
        share = np.clip((degree[y // 8, x // 8] - low) / (high - low), 0, 1)
        assert float(left.rstrip("%")) == pytest.approx(100 * share, abs=0.1)


def canvas(page: Any) -> NDArray[np.float64]:
    """(4, h, w): red, green, blue and opacity of the overlay, a pixel a value of its map."""
    address = page.locator(".view canvas").evaluate("canvas => canvas.toDataURL()")
    pixels = Image.open(io.BytesIO(b64decode(address.partition(",")[2])))
    return np.asarray(pixels, np.float64).transpose(2, 0, 1)


def test_the_nearest_receptive_field_is_lit(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    page.locator("#overlay input[value=field]").check(force=True)
    hover(page, 30, 60)
    opacity = canvas(page)[3]
    columns = opacity.shape[1]
    assert opacity[:, : columns // 2].max() == 0 and opacity[:, columns // 2 + 1 :].min() > 200
    hover(page, 190, 120)
    opacity = canvas(page)[3]
    assert opacity[0, 0] > 200 and opacity[-1, -1] == 0
    assert page.locator(".view .latent").get_attribute("x") == "160"
