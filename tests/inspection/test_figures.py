"""Figures of an inspection: what is written on them, and which colours they show."""

import io
import re

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.drawing import kind_colours
from glic_pyg.inspection.fields import ReceptiveFields
from glic_pyg.inspection.figures import (
    bits_and_error_figure,
    crop_figure,
    degree_figure,
    detailed_corner,
    example_pixels,
    field_figure,
    neighbourhood_figure,
    overview_figure,
)
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.plotting import map_colours, percentile_limits


def written(svg: bytes) -> set[str]:
    """Lines of text, which matplotlib leaves as comments beside their outlines."""
    return set(re.findall(r"<!-- (.*?) -->", svg.decode()))


def test_degrees_of_every_block(inspection: Inspection) -> None:
    said = written(degree_figure(inspection, "svg"))
    for block in inspection.blocks:
        assert {f"{block.title}: {what}" for what in ("complexity", "local degree", "mesh degree")} <= said


def test_scales_tell_their_ends(inspection: Inspection) -> None:
    said = written(bits_and_error_figure(inspection, "svg"))
    assert {f"{end:.3g}" for end in percentile_limits(inspection.bit_map[::16, ::16])} <= said


def test_neighbourhoods_count_the_edges(inspection: Inspection) -> None:
    said = written(neighbourhood_figure(inspection, [(70, 110)], "svg"))
    for block in inspection.blocks:
        node = (70 // block.stride, 110 // block.stride)
        assert {f"{graph.degree[node]} {kind}" for kind, graph in block.graphs.items()} <= said


def test_example_pixels_lie_on_the_image(inspection: Inspection) -> None:
    pixels = example_pixels(inspection)
    assert len(pixels) == 3 and all(0 <= row < 130 and 0 <= column < 200 for row, column in pixels)


def test_bits_are_shown_where_they_are(inspection: Inspection) -> None:
    """The panel of bits, lower left, holds the colours of the map."""
    shown = np.asarray(Image.open(io.BytesIO(bits_and_error_figure(inspection))).convert("RGB")) / 255
    wanted = map_colours(inspection.bit_map[::16, ::16])
    height, width = shown.shape[0] // 2, shown.shape[1] // 2
    lower_left = shown[height:, :width].reshape(-1, 3)
    for colour in (wanted[4, 2], wanted[4, 9]):
        assert (np.abs(lower_left - colour).max(1) < 0.02).sum() > 100


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_receptive_fields_of_two_models(kind: str, start: bytes) -> None:
    maps = np.random.default_rng(0).random((2, 40, 64), np.float32)
    fields = ReceptiveFields(np.array([[0, 1], [1, 3]]), maps)
    assert field_figure({"untrained": fields, "trained": fields}, kind).startswith(start)


Pixels = NDArray[np.uint8]


def shown(data: bytes) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) / 255.0


def pixels_of(colour: str, image: NDArray[np.float64]) -> int:
    return int((np.abs(image - to_rgb(colour)).max(axis=2) < 0.02).sum())


def test_both_kinds_of_edges_are_drawn(image: Pixels, graphs: BlockGraphs) -> None:
    image = shown(overview_figure(image, graphs))
    lower = image[image.shape[0] // 2 :]
    assert (
        pixels_of(kind_colours("local")[0], lower) > 500 and pixels_of(kind_colours("mesh")[0], lower) > 500
    )


def test_another_panel(image: Pixels, graphs: BlockGraphs) -> None:
    given: list[Axes] = []
    data = overview_figure(image, graphs, draw_more=given.append)
    assert data.startswith(b"\x89PNG") and len(given) == 1 and len(given[0].figure.axes) >= 6


@pytest.mark.parametrize("kind", ["svg"])
def test_numbers_of_neighbours_are_written(image: Pixels, graphs: BlockGraphs, kind: str) -> None:
    text = overview_figure(image[:, :, 0], graphs, kind=kind).decode()
    assert "<!-- Node 3 -->" in text and " local -->" in text and " mesh -->" in text


def test_detail_is_found() -> None:
    image = np.full((120, 200, 3), 80, np.uint8)
    image[60:100, 120:160] = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    assert detailed_corner(image, 40) == (60, 120)
    assert detailed_corner(image[:, :, 0], 40) == (60, 120)


def test_an_image_smaller_than_the_crop() -> None:
    assert detailed_corner(np.zeros((10, 12, 3), np.uint8), 40) == (0, 0)


def test_crops_stand_side_by_side() -> None:
    red, blue = (np.zeros((50, 60, 3), np.uint8) for _ in range(2))
    red[..., 0], blue[10:30, 20:40, 2] = 255, 255
    data = crop_figure({"One": (red, "first"), "Two": (blue, "second")}, (10, 20), 20)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    middle = shown[shown.shape[0] // 2]
    left, right = np.split(middle, [len(middle) // 2])
    assert ((left == (255, 0, 0)).all(1)).mean() > 0.8  # all of the panel is the crop
    assert ((right == (0, 0, 255)).all(1)).mean() > 0.8
