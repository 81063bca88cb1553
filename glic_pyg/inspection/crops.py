"""The same part of several reconstructions, enlarged side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

__all__ = ["crop_figure", "detailed_corner"]

Pixels = NDArray[np.uint8]
_PANEL = 3.0  # inches


def crop_figure(
    pictures: Mapping[str, tuple[Pixels, str]],
    corner: tuple[int, int],
    side: int,
    *,
    columns: int | None = None,
    kind: str = "png",
) -> bytes:
    """Enlarged crops side by side.

    Args:
        pictures: pixels, uint8 (H, W, 3) or (H, W), and a caption, by title; all of one size.
        corner: row and column of the crop's first pixel.
        side: of the crop, in pixels.
        columns: crops in a row; all by default.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The bytes of the picture file.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    row, column = corner
    columns = min(columns or len(pictures), len(pictures))
    rows = -(-len(pictures) // columns)
    out = io.BytesIO()
    with as_file(files("glic_pyg") / "figures.mplstyle") as look, style.context(look):
        figure = Figure(figsize=(_PANEL * columns, (_PANEL + 0.6) * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for axes in panels[len(pictures) :]:
            axes.set_axis_off()
        for axes, (title, (pixels, caption)) in zip(panels, pictures.items(), strict=False):
            crop = pixels[row : row + side, column : column + side]
            axes.imshow(crop, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_title(title)
            axes.set_axis_off()
            axes.text(0, -0.03, caption, transform=axes.transAxes, va="top", color="#555555", fontsize=8.5)
        figure.savefig(out, format=kind)
    return out.getvalue()


def detailed_corner(original: Pixels, side: int) -> tuple[int, int]:
    """Row and column of the crop of the original with the strongest gradients, on a grid of half a side.

    A rule that looks at no reconstruction, so that the crop favours none.
    """
    grey = original.astype(np.float64) if original.ndim == 2 else original.mean(axis=2)
    edges = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    height, width = grey.shape
    step = max(1, side // 2)
    corners = [
        (row, column)
        for row in range(0, max(1, height - side + 1), step)
        for column in range(0, max(1, width - side + 1), step)
    ]
    return max(corners, key=lambda at: float(edges[at[0] : at[0] + side, at[1] : at[1] + side].sum()))
