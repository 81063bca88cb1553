"""The page in a real Chromium: what it shows of a node is what the arrays say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.page.packed_block import WEIGHT_STEPS
from tests.browser import OpenPage
from tests.inspection.page.pointing import hover, shown_node


def listed(page: Any) -> dict[tuple[str, int, int], float | None]:
    """The table of all neighbours: weights by graph, row and column."""
    rows = page.evaluate(
        "[...document.querySelectorAll('.scroll tbody tr')].map(row => [row.cells[0].textContent,"
        " +row.cells[1].textContent, +row.cells[2].textContent, row.querySelector('data')?.value ?? null])"
    )
    return {(kind, row, column): None if w is None else float(w) for kind, row, column, w in rows}


def expected(
    block: BlockGraphs, node: tuple[int, int], layer: int | None, head: int | None
) -> dict[tuple[str, int, int], float | None]:
    """The same from the arrays."""
    found: dict[tuple[str, int, int], float | None] = {}
    for kind, graph in block.graphs.items():
        layers = [each for each in block.layers if each.graph is graph and layer in (None, each.number)]
        heads = [each.weights([node])[:, slice(None) if head is None else [head]] for each in layers]
        places = graph.neighbours(node).tolist()
        weights = np.concatenate(heads, axis=1).mean(1).tolist() if layers else [None] * len(places)
        found |= {(kind, *place): weight for place, weight in zip(places, weights, strict=True)}
    return found


@pytest.mark.parametrize(
    ("title", "layer", "head"),
    [("g_a stage 2", None, None), ("g_a stage 1", None, None), ("g_s stage 2", 0, 1), ("g_s stage 1", 1, 0)],
)
def test_hover_shows_what_the_arrays_hold(
    open_page: OpenPage,
    page_file: Path,
    inspection: Inspection,
    title: str,
    layer: int | None,
    head: int | None,
) -> None:
    page, block = open_page(page_file), inspection.block(title)
    page.locator(".counts summary").click()
    page.locator("#stage").select_option(value=f"{block.transform} {block.stage}")
    page.locator("#layer").select_option(index=0 if layer is None else layer + 1)
    page.locator("#head").select_option(label="mean of all" if head is None else str(head + 1))
    for x, y in [(3, 2), (101, 66), (197, 126)]:
        hover(page, x, y)
        node = shown_node(page)
        assert node == (y // block.stride, x // block.stride)
        arrays = expected(block, node, layer, head)
        seen = listed(page)
        assert seen.keys() == arrays.keys()
        for neighbour, weight in arrays.items():
            assert seen[neighbour] == (
                None if weight is None else pytest.approx(weight, abs=0.51 / WEIGHT_STEPS)
            )
        marks_are_neighbours(page, block, node)
        words = page.locator(".sentences").text_content()
        counts = {kind: len(graph.neighbours(node)) for kind, graph in block.graphs.items()}
        assert f"from {counts['local']} node" in words and f"{counts['mesh']} on the mesh" in words


def marks_are_neighbours(page: Any, block: BlockGraphs, node: tuple[int, int]) -> None:
    """What is drawn over the photo: the middles of the neighbours on it."""
    ends = {"local": ("circle", "cx", "cy"), "mesh": ("line", "x2", "y2")}
    for kind, (tag, x, y) in ends.items():
        marks = page.locator(f".view .{kind} {tag}").evaluate_all(
            f"marks => marks.map(mark => ['{x}', '{y}'].map(name => +mark.getAttribute(name)))"
        )
        places = (block.graphs[kind].neighbours(node)[:, ::-1] + 0.5) * block.stride
        on_photo = (places >= 0).all(1) & (places[:, 0] < 200) & (places[:, 1] < 130)
        assert sorted(marks) == sorted(places[on_photo].tolist())


def test_words_tell_bits_and_error(open_page: OpenPage, page_file: Path, inspection: Inspection) -> None:
    page = open_page(page_file)
    hover(page, 150, 70)
    words = page.locator(".sentences").text_content()
    found = re.search(r"takes ([\d.]+) bits a pixel here and is off by ([\d.]+) levels", words)
    assert found
    assert float(found[1]) == pytest.approx(float(inspection.bit_map[70, 150]), abs=0.006)
    error = np.sqrt(inspection.error_map[64:72, 144:152].mean())
    assert float(found[2]) == pytest.approx(error, rel=0.01)


def test_without_graphs_there_are_bits_and_errors(open_page: OpenPage, graphless_file: Path) -> None:
    page = open_page(graphless_file)
    hover(page, 150, 100)
    assert page.locator(".sentences").text_content().startswith("This model builds no graph.")
    assert page.locator(".place").text_content() == "16 × 16 pixels at x 144, y 96"
    assert page.locator("#overlay input").evaluate_all("all => all.map(input => input.value)") == [
        "none", "bits", "error",
    ]  # fmt: skip
    assert "lossless" in page.locator("h2 small").first.text_content()
