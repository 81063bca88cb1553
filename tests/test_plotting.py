"""The style of figures stays inside them, and maps are coloured alike everywhere."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from glic_pyg.plotting import encode_figure, map_colours, percentile_limits, styled_figure


def test_the_style_applies_inside_and_is_gone_outside() -> None:
    before = dict(matplotlib.rcParams)
    with styled_figure(2, 1) as figure:
        axes = figure.add_subplot()
        data = encode_figure(figure)
    assert not axes.spines["top"].get_visible()
    assert Image.open(io.BytesIO(data)).size == (300, 150)  # 150 pixels per inch
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_kinds_of_files(kind: str, start: bytes) -> None:
    with styled_figure(1, 1) as figure:
        assert encode_figure(figure, kind).startswith(start)


def test_more_is_brighter_and_outliers_do_not_matter() -> None:
    values = np.linspace(0, 10, 400).reshape(20, 20)
    colours = map_colours(values).sum(-1).ravel()
    assert (np.diff(colours) >= -1e-6).all() and colours[-1] > colours[0] + 1
    values[3, 3] = 1e6
    assert percentile_limits(values)[1] < 11


def test_a_flat_map_has_one_colour() -> None:
    assert len(np.unique(map_colours(np.ones((4, 5))).reshape(-1, 3), axis=0)) == 1
