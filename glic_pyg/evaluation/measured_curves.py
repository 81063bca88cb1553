"""Curves from our own measurements: from means, or from the JSON that ``glic test`` wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from glic_pyg.evaluation.baselines import BASELINES
from glic_pyg.evaluation.curve import Curve, CurveError
from glic_pyg.files import read_text

__all__ = ["IMAGES", "curves_of", "read_curves"]

Point = tuple[str, float | None, float | None, float | None]
"""Codec, bits per pixel, PSNR, mean similarity; ``None``, infinite or NaN where nothing can be said."""

IMAGES = {"kodak": 24, "clic-pro-valid": 41, "tecnick": 100}
"""How many images those data sets have whose published means are over all of them."""


def curves_of(points: Sequence[Point], source: str) -> list[Curve]:
    """One curve a codec, in the order in which codecs come, points in ascending order of rate.

    Points without a rate or a finite PSNR are left out, and counted in the curve's source; a codec may end
    with none.

    Args:
        points: means over a data set, one for every codec and setting.
        source: of the curves.
    """
    codecs = dict.fromkeys(point[0] for point in points)
    return [_curve(codec, [p[1:] for p in points if p[0] == codec], source) for codec in codecs]


def read_curves(path: Path, data_set: str | None = None) -> list[Curve]:
    """The curves of a results file, named as measured.

    Args:
        path: what ``glic test`` wrote.
        data_set: of the published curves that they will be compared with, if any.

    Raises:
        CurveError: it is no results file, or one of fewer or more images than the data set has.
    """
    try:
        document = json.loads(read_text(path))
        images = of = len(document["images"])
        means = document.get("curves") or document["mean"]
        if "curves" in document:
            of = int(means[0]["images"])
        points = [
            (_text(m["codec"]), _number(m["bpp"]), _number(m["psnr"]), _number(m["ms_ssim"])) for m in means
        ]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError):
        raise CurveError(f"{path} is no results file; glic test writes one as results.json.") from None
    if not points:
        raise CurveError(f"{path} holds no measurements.")
    if data_set is not None and IMAGES.get(data_set, images) != images:
        raise CurveError(
            f"{path} holds {images} images and {data_set} has {IMAGES[data_set]}: their means cannot be "
            "compared; measure the whole set, or leave the published curves out."
        )
    curves = curves_of(points, f"{path.name}, {images if of == images else f'{of} of {images}'} images")
    return [replace(curve, name=f"{curve.name} (measured)") for curve in curves]


def _text(value: object) -> str:
    """A name as it stands in a file.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> float | None:
    """A number as it stands in a file, where null, NaN and infinities say that there is none.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise TypeError
    return None if value is None or not math.isfinite(value) else float(value)


def _curve(codec: str, points: Sequence[tuple[float | None, ...]], source: str) -> Curve:
    title = BASELINES[codec].title if codec in BASELINES else codec
    known = sorted(
        (bpp, psnr, math.nan if ms_ssim is None else min(ms_ssim, 1.0))
        for bpp, psnr, ms_ssim in points
        if bpp is not None and 0 < bpp < math.inf and psnr is not None and math.isfinite(psnr)
    )
    similarities = tuple(ms_ssim for *_, ms_ssim in known)
    if left_out := len(points) - len(known):
        source += f"; {left_out} of {len(points)} points without rate or error left out"
    return Curve(
        title,
        tuple(bpp for bpp, _, _ in known),
        tuple(psnr for _, psnr, _ in known),
        None if any(map(math.isnan, similarities)) or not known else similarities,
        f"{source}; {left_out} of {len(points)} points without rate or error left out"
        if left_out
        else source,
    )
