"""Curves from our own measurements: from means, or from the JSON that ``glic test`` wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from glic_pyg.evaluation.classical.all_codecs import CLASSICAL_CODECS
from glic_pyg.evaluation.curve import Curve, CurveError

__all__ = ["IMAGES", "curves_of", "read_curves"]

Point = tuple[str, float, float, float | None]
"""Codec, bits a pixel, PSNR, mean similarity."""

IMAGES = {"kodak": 24, "clic-pro-valid": 41, "tecnick": 100}
"""How many images those data sets have whose published means are over all of them."""


def curves_of(points: Sequence[Point], source: str) -> list[Curve]:
    """One curve a codec, in the order in which codecs come, points in ascending order of rate.

    Args:
        points: means over a data set, one for every codec and setting.
        source: of the curves.
    """
    return [
        _curve(codec, sorted((p for p in points if p[0] == codec), key=lambda point: point[1]), source)
        for codec in dict.fromkeys(point[0] for point in points)
    ]


def read_curves(path: Path, data_set: str | None = None) -> list[Curve]:
    """The curves of a results file, named as measured.

    Args:
        path: what ``glic test`` wrote.
        data_set: of the published curves that they will be compared with, if any.

    Raises:
        CurveError: it is no results file, or one of fewer or more images than the data set has.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        means, images = document["mean"], len(document["images"])
        points = [(mean["codec"], mean["bpp"], mean["psnr"], mean["ms_ssim"]) for mean in means]
    except (ValueError, KeyError, TypeError):
        raise CurveError(f"{path} is no results file; glic test writes one as results.json.") from None
    if data_set is not None and IMAGES.get(data_set, images) != images:
        raise CurveError(
            f"{path} holds {images} images and {data_set} has {IMAGES[data_set]}: their means cannot be "
            "compared; measure the whole set, or leave the published curves out."
        )
    curves = curves_of(points, f"{path.name}, {images} images")
    return [replace(curve, name=f"{curve.name} (measured)") for curve in curves]


def _curve(codec: str, points: Sequence[Point], source: str) -> Curve:
    title = CLASSICAL_CODECS[codec].title if codec in CLASSICAL_CODECS else codec
    similarities = [similarity for *_, similarity in points if similarity is not None]
    return Curve(
        title,
        tuple(rate for _, rate, _, _ in points),
        tuple(psnr for _, _, psnr, _ in points),
        tuple(similarities) if len(similarities) == len(points) else None,
        source,
    )
