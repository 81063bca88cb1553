"""Table and figure of the study of effort."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from glic_pyg.codec.effort import DESCENTS
from glic_pyg.evaluation.bd_rate import bd_rate, delta_or_none
from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.tables import markdown_table
from glic_pyg.plotting import encode_figure, styled_figure

__all__ = ["Point", "Row", "effort_figure", "extent", "rows_of", "section"]


class Point(NamedTuple):
    """A file: of which image, at which quality and effort, bits per pixel, dB and CPU seconds of encoding."""

    image: str
    quality: float
    level: int
    bpp: float
    psnr: float
    seconds: float


class Row(NamedTuple):
    """A level: mean over the images that it has every quality of.

    Attributes:
        level: of effort.
        bd_rate: against effort 0, in percent, mean over the images.
        worst, best: of them.
        seconds: of an encode.
        times: as long as effort 0.
        images: their names.
    """

    level: int
    bd_rate: float
    worst: float
    best: float
    seconds: float
    times: float
    images: tuple[str, ...]


def rows_of(points: Sequence[Point]) -> list[Row]:
    """The rows of all levels above 0 that have been measured."""
    qualities = {point.quality for point in points}
    found: dict[tuple[str, int], list[Point]] = {}
    for point in points:
        found.setdefault((point.image, point.level), []).append(point)
    whole = {key: sorted(of, key=lambda p: p.bpp) for key, of in found.items() if len(of) == len(qualities)}
    rows = []
    for level in sorted({point.level for point in points} - {0}):
        images = [image for image, other in whole if other == level and (image, 0) in whole]
        deltas = {
            image: delta.value
            for image in images
            if (delta := delta_or_none(bd_rate, _curve(whole[image, 0]), _curve(whole[image, level])))
        }
        if deltas:
            seconds, before = (
                fmean(point.seconds for image in deltas for point in whole[image, k]) for k in (level, 0)
            )
            values = deltas.values()
            names = tuple(sorted(deltas))
            rows.append(Row(level, fmean(values), max(values), min(values), seconds, seconds / before, names))
    return rows


def _curve(points: Sequence[Point]) -> Curve:
    return Curve("glic", tuple(p.bpp for p in points), tuple(p.psnr for p in points), None, "measured")


def extent(crop: int | None) -> str:
    """What of the images is encoded."""
    return f"centre {crop}×{crop} pixels" if crop else "whole images"


def section(
    points: Sequence[Point], figure: str, weights: str, crop: int | None, there: int, how: Provenance
) -> str:
    """The part of the page that is measured; ``there`` are so many images in the folder."""
    found = rows_of(points)
    rows = [
        (
            str(row.level),
            str(DESCENTS[row.level - 1].steps),
            f"{row.bd_rate:+.1f} %",
            f"{row.worst:+.1f} … {row.best:+.1f} %",
            f"{row.seconds:.1f}",
            f"{row.times:.0f}×",
            str(len(row.images)),
        )
        for row in found
    ]
    header = ("effort", "steps", "BD-rate", "of single images", "encode, CPU s", "of effort 0", "images")
    qualities = ", ".join(f"{quality:g}" for quality in sorted({point.quality for point in points}))
    images = sorted({image for row in found for image in row.images})
    part = f"{len(images)} of the {there} images" if len(images) < there else f"all {there} images"
    return "\n\n".join(
        [
            f"BD-rate against effort 0 at equal PSNR of the decoded images, real files, weights `{weights}`, "
            f"{extent(crop)} of {part} ({', '.join(images)}), qualities {qualities}:",
            markdown_table(header, rows),
            f"![What effort brings, over the time that it takes](images/{figure})",
            str(how),
        ]
    )


def effort_figure(points: Sequence[Point]) -> bytes:
    """BD-rate over seconds, a point a level: the contents of an SVG file."""
    rows = rows_of(points)
    with styled_figure(6, 3.6) as figure:
        axes = figure.subplots()
        axes.plot([row.seconds for row in rows], [row.bd_rate for row in rows], "o-")
        for row in rows:
            axes.annotate(f"{row.level}", (row.seconds, row.bd_rate), (0, 6), textcoords="offset points")
        axes.set(xscale="log", xlabel="CPU seconds to encode an image", ylabel="BD-rate against effort 0, %")
        return encode_figure(figure, "svg")
