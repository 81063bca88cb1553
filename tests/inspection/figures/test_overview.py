import io

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.figures.drawing import kind_colours
from glic_pyg.inspection.figures.overview import overview_figure

Pixels = NDArray[np.uint8]


def shown(data: bytes) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) / 255.0


def pixels_of(colour: str, picture: NDArray[np.float64]) -> int:
    return int((np.abs(picture - to_rgb(colour)).max(axis=2) < 0.02).sum())


def test_both_kinds_of_edges_are_drawn(photo: Pixels, graphs: BlockGraphs) -> None:
    picture = shown(overview_figure(photo, graphs))
    lower = picture[picture.shape[0] // 2 :]
    assert (
        pixels_of(kind_colours("local")[0], lower) > 500 and pixels_of(kind_colours("mesh")[0], lower) > 500
    )


def test_another_panel(photo: Pixels, graphs: BlockGraphs) -> None:
    given: list[Axes] = []
    data = overview_figure(photo, graphs, draw_more=given.append)
    assert data.startswith(b"\x89PNG") and len(given) == 1 and len(given[0].figure.axes) >= 6


@pytest.mark.parametrize("kind", ["svg"])
def test_numbers_of_neighbours_are_written(photo: Pixels, graphs: BlockGraphs, kind: str) -> None:
    text = overview_figure(photo[:, :, 0], graphs, kind=kind).decode()
    assert "<!-- Node 3 -->" in text and " local -->" in text and " mesh -->" in text
