"""The page in a real Chromium: what it shows of a node is what the arrays say."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.stats import graph_stats
from tests.browser import WIDTHS, OpenPage, out_of_reach, overflow, wait_until

VIEW = ".view"


def settled(page: Any) -> None:
    """Wait until all panels show what is chosen."""
    page.locator(".panel:not([aria-busy=false])").first.wait_for(state="detached")


def hover(page: Any, x: float, y: float, panel: int = 0) -> None:
    """Point at a pixel of a 200 x 130 image."""
    view = page.locator(VIEW).nth(panel)
    zoom = view.bounding_box()["width"] / 200
    view.hover(position={"x": x * zoom, "y": y * zoom})
    settled(page)


def shown_node(page: Any, panel: int = 0) -> tuple[int, int]:
    found = re.match(r"Node (\d+), (\d+):", page.locator(".place").nth(panel).text_content())
    assert found
    return int(found[1]), int(found[2])


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
            assert seen[neighbour] == (None if weight is None else pytest.approx(weight, rel=0.06, abs=3e-4))
        words_are_weights(page)
        marks_are_neighbours(page, block, node)
        words = page.locator(".sentences").text_content()
        counts = {kind: len(graph.neighbours(node)) for kind, graph in block.graphs.items()}
        assert f"from {counts['local']} node" in words and f"{counts['mesh']} on the mesh" in words


def words_are_weights(page: Any) -> None:
    """A weight of 0.7 % is written as 0.7%."""
    written = page.locator(".scroll data").evaluate_all(
        "all => all.map(each => [+each.value, each.textContent])"
    )
    for weight, text in written:
        if weight < 0.0005:
            assert text == "under 0.1%"
        else:
            decimals = 1 if weight < 0.0195 else 0
            assert re.fullmatch(rf"\d+(\.\d){{{decimals}}}%", text)
            assert float(text[:-1]) == pytest.approx(100 * weight, abs=0.5 / 10**decimals + 1e-6)


def test_the_nodes_that_read_a_node(open_page: OpenPage, page_file: Path, inspection: Inspection) -> None:
    page, block = open_page(page_file), inspection.block("g_a stage 2")
    page.locator(".counts summary").click()
    page.locator("#direction input[value=readers]").check(force=True)
    assert page.locator("#layer").is_disabled() and page.locator("#head").is_disabled()
    for x, y in [(3, 2), (101, 66)]:
        hover(page, x, y)
        node = shown_node(page)
        wanted: dict[tuple[str, int, int], float] = {}
        for kind, graph in block.graphs.items():
            ends, weights = graph.edge_index, block.mean_attention[kind]
            for edge in np.flatnonzero(ends[0] == graph.index(node)):
                wanted[(kind, *divmod(int(ends[1, edge]), block.shape[1]))] = float(weights[edge])
            assert graph.out_degree[node] == sum(key[0] == kind for key in wanted)
        seen = listed(page)
        assert seen.keys() == wanted.keys() and len(wanted) > 10
        assert list(seen.values()) == [pytest.approx(wanted[key], rel=0.05, abs=3e-4) for key in seen]
        mutual = page.locator(".scroll tbody tr:has-text('mutual')").count()
        read = {(kind, *at) for kind, g in block.graphs.items() for at in g.neighbours(node).tolist()}
        assert mutual == sum(key in read and key[1:] != node for key in wanted) > 0
        counts = {kind: int(graph.out_degree[node]) for kind, graph in block.graphs.items()}
        words = page.locator(".sentences").text_content()
        assert f"It is read by {counts['local']} node" in words and f"{counts['mesh']} on the mesh" in words
    page.keyboard.press("r")
    settled(page)
    assert page.locator(".sentences").text_content().startswith("It reads from")


def test_the_statistics_of_the_block(open_page: OpenPage, page_file: Path, inspection: Inspection) -> None:
    page = open_page(page_file)
    settled(page)
    rows = page.locator(".whole tbody tr").all_inner_texts()
    stats = [each for each in graph_stats(inspection) if each.block == "g_a stage 2"]
    for row, each in zip(rows, stats, strict=True):
        assert row.split("\t")[1] == f"{each.edges:,}" and row.split("\t")[-1] == str(each.components)
        assert f"{each.reciprocity:.0%}" in row
        assert f"{each.out_degree_quantile(0.05)} to {each.out_degree_quantile(0.95)}" in row


def marks_are_neighbours(page: Any, block: BlockGraphs, node: tuple[int, int]) -> None:
    """What is drawn over the image: the middles of the neighbours on it."""
    ends = {"local": ("circle", "cx", "cy"), "mesh": ("line", "x2", "y2")}
    for kind, (tag, x, y) in ends.items():
        marks = page.locator(f".view .{kind} {tag}").evaluate_all(
            f"marks => marks.map(mark => ['{x}', '{y}'].map(name => +mark.getAttribute(name)))"
        )
        places = (block.graphs[kind].neighbours(node)[:, ::-1] + 0.5) * block.stride
        on_image = (places >= 0).all(1) & (places[:, 0] < 200) & (places[:, 1] < 130)
        assert sorted(marks) == sorted(places[on_image].tolist())


def test_words_tell_bits_and_error(open_page: OpenPage, page_file: Path, inspection: Inspection) -> None:
    page = open_page(page_file)
    hover(page, 150, 70)
    words = page.locator(".sentences").text_content()
    found = re.search(r"takes ([\d.]+) bits per pixel here and is off by ([\d.]+) levels", words)
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


@pytest.mark.parametrize("name", ["complexity", "degree", "outDegree", "bits", "error"])
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
        "outDegree": sum(graph.out_degree for graph in block.graphs.values())[:17, :25],
        "bits": inspection.bit_map[::16, ::16],
        "error": np.sqrt(inspection.error_map[:128].reshape(32, 4, 50, 4).mean((1, 3))),
    }[name]
    brightness = brightness[: len(values)]
    assert brightness.shape == values.shape
    order = np.argsort(values, axis=None)
    steps = np.diff(brightness.ravel()[order])
    assert steps.min() > -3 and np.ptp(brightness) > 100  # brighter where there is more, but for rounding
    assert page.locator(".scale").text_content().replace("-d", "D").lower().startswith(name.lower())


def test_a_tick_tells_where_on_the_scale_the_node_is(
    open_page: OpenPage, page_file: Path, inspection: Inspection
) -> None:
    page = open_page(page_file)
    page.locator("#overlay input[value=degree]").check(force=True)
    degree = inspection.block("g_a stage 2").degree[:17, :25]
    low, high = np.quantile(degree, (0.01, 0.99), method="nearest")
    for x, y in [(10, 10), (110, 66), (190, 117)]:
        hover(page, x, y)
        share = np.clip((degree[y // 8, x // 8] - low) / (high - low), 0, 1)
        left = "parseFloat(document.querySelector('.scale .tick').style.left)"  # of the last frame drawn
        wait_until(page, f"Math.abs({left} - {100 * share}) < 0.1")


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


def test_keys_move_the_node_and_step_through_the_choosers(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    settled(page)
    page.locator(VIEW).focus()
    row, column = shown_node(page)
    for key, expected_node in [
        ("ArrowRight", (row, column + 1)),
        ("ArrowDown", (row + 1, column + 1)),
        ("Shift+ArrowLeft", (row + 1, max(0, column - 7))),
        ("Home", (row, column)),
    ]:
        page.keyboard.press(key)
        settled(page)
        assert shown_node(page) == expected_node
    page.locator("#spoken", has_text=f"Node {row}, {column}: ").wait_for(state="attached")
    for key, chooser, value in [("s", "stage", "g_s 2"), ("l", "layer", "0"), ("h", "head", "0")]:
        page.keyboard.press(key)
        assert page.locator(f"#{chooser}").input_value() == value
    page.keyboard.press("o")
    page.keyboard.press("i")
    page.keyboard.press("2")
    settled(page)
    assert page.locator("#overlay input:checked").input_value() == "complexity"
    assert page.locator("#image input:checked").input_value() == "decoded"
    assert page.locator(".view .mesh").count() == 0 and page.locator(".view .local").count() == 1


def test_arrow_keys_work_before_a_click(open_page: OpenPage, two_file: Path) -> None:
    page = open_page(two_file)
    settled(page)
    row, column = shown_node(page)
    page.keyboard.press("ArrowLeft")
    settled(page)
    assert shown_node(page) == (row, column - 1)
    page.locator("#stage").focus()
    page.keyboard.press("ArrowDown")  # belongs to the menu
    settled(page)
    assert page.locator("#stage").input_value() != "g_a 2"


def test_discs_in_the_lens_let_the_image_through(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    hover(page, 150, 70)
    opacity = page.locator(".lens circle").first.evaluate("disc => getComputedStyle(disc).fillOpacity")
    assert 0.3 <= float(opacity) <= 0.6
    assert page.locator(".view circle").first.evaluate("disc => getComputedStyle(disc).fillOpacity") == "1"


def test_a_click_holds_the_node(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    hover(page, 20, 20)
    page.locator(VIEW).click(position={"x": 20, "y": 20})
    held = shown_node(page)
    hover(page, 150, 100)
    assert shown_node(page) == held
    page.locator(VIEW).click(position={"x": 150, "y": 100})
    settled(page)
    assert shown_node(page) == (100 // 8, 150 // 8)


def test_a_tap_chooses_a_node(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file, width=375, touch=True)
    settled(page)
    page.locator(VIEW).tap(position={"x": 90, "y": 50})
    settled(page)
    assert shown_node(page) == (50 // 8, 90 // 8)
    page.locator(VIEW).tap(position={"x": 10, "y": 10})
    settled(page)
    assert shown_node(page) == (1, 1)


def test_cursors_are_linked(open_page: OpenPage, two_file: Path) -> None:
    page = open_page(two_file)
    hover(page, 150, 30)
    assert shown_node(page, 0) == (3, 18)
    assert shown_node(page, 1) == (int(200 * 30 / 130) // 8, int(130 * 150 / 200) // 8)
    assert page.locator("h2").nth(1).text_content().strip().startswith("<b>turned</b>")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("file", ["page_file", "two_file", "graphless_file"])
def test_sound_on_phones_and_desks(
    open_page: OpenPage, request: pytest.FixtureRequest, file: str, width: int, dark: bool
) -> None:
    page = open_page(request.getfixturevalue(file), width=width, dark=dark)
    settled(page)
    for details in page.locator("summary").all():
        if details.is_visible():
            details.click()
    assert overflow(page) == 0
    assert out_of_reach(page, "select, input, summary, .view") == []
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (brightness_of(paper) < brightness_of(ink)) == dark
    assert abs(brightness_of(paper) - brightness_of(ink)) > 150


def brightness_of(colour: str) -> float:
    return float(np.mean([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]))


def test_controls_have_names(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    for role, name in [
        ("combobox", "Stage"), ("combobox", "Block"), ("combobox", "Layer"), ("combobox", "Head"),
        ("group", "Overlay"), ("radio", "Receptive field"), ("checkbox", "local"), ("radio", "Decoded"),
        ("radio", "is read by"),
        ("application", "noise: choose a node"),
    ]:  # fmt: skip
        assert page.get_by_role(role, name=name).count() == 1, name
