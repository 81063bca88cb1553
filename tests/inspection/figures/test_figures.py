"""Figures of an inspection: what is written on them, and what colours they show."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from glic_pyg.inspection.figures.bits_and_error import bits_and_error_figure
from glic_pyg.inspection.figures.degrees import degree_figure
from glic_pyg.inspection.figures.fields import field_figure
from glic_pyg.inspection.figures.neighbourhoods import neighbourhood_figure, telling_pixels
from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.map_colours import limits, map_colours
from glic_pyg.inspection.receptive_fields import ReceptiveFields


def written(svg: bytes) -> set[str]:
    """Lines of text, which matplotlib leaves as comments beside their outlines."""
    return set(re.findall(r"<!-- (.*?) -->", svg.decode()))


def test_degrees_of_every_block(inspection: Inspection) -> None:
    said = written(degree_figure(inspection, "svg"))
    for block in inspection.blocks:
        assert {f"{block.title}: {what}" for what in ("complexity", "local degree", "mesh degree")} <= said


def test_scales_tell_their_ends(inspection: Inspection) -> None:
    said = written(bits_and_error_figure(inspection, "svg"))
    assert {f"{end:.3g}" for end in limits(inspection.bit_map[::16, ::16])} <= said


def test_neighbourhoods_count_the_edges(inspection: Inspection) -> None:
    said = written(neighbourhood_figure(inspection, [(70, 110)], "svg"))
    for block in inspection.blocks:
        node = (70 // block.stride, 110 // block.stride)
        assert {f"{graph.degree[node]} {kind}" for kind, graph in block.graphs.items()} <= said


def test_telling_pixels_lie_on_the_photo(inspection: Inspection) -> None:
    pixels = telling_pixels(inspection)
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
