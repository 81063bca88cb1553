"""Rate-distortion curves: one codec over a data set, one point per quality."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines import BASELINES
from glic_pyg.files import read_text
from glic_pyg.metrics import ms_ssim_db

__all__ = [
    "METRICS",
    "SET_SIZES",
    "Curve",
    "CurveError",
    "Metric",
    "check_same_images",
    "curves_of",
    "read_curves",
]

Metric = Literal["psnr", "ms-ssim"]
METRICS: tuple[Metric, ...] = ("psnr", "ms-ssim")

SET_SIZES = {"kodak": 24, "clic-pro-valid": 41, "tecnick": 100, "clic2021-test": 60, "jpegai-test": 16}
"""Images of the data sets that published means are over; unknown for CompressAI's sets of CLIC."""

Point = tuple[str, float | None, float | None, float | None]
"""Codec, bits per pixel, PSNR, mean similarity; ``None``, infinite or NaN where there is no value."""


class CurveError(GlicError):
    """A curve cannot be read or compared with another."""


@dataclass(frozen=True)
class Curve:
    """Means over a data set at N qualities, in ascending order of rate.

    Attributes:
        name: of the codec.
        bpp: bits per pixel, N values.
        psnr: of 8-bit RGB, dB, N values.
        ms_ssim: mean similarity, 0 to 1, N values; ``None`` if it was not measured.
        source: who measured it.
        data_set: name of the images, as published points call them; ``None`` if it is not known.
    """

    name: str
    bpp: tuple[float, ...]
    psnr: tuple[float, ...]
    ms_ssim: tuple[float, ...] | None
    source: str
    data_set: str | None = None

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.bpp, self.psnr, self.ms_ssim) if values is not None}
        if len(lengths) != 1 or list(self.bpp) != sorted(self.bpp):
            raise ValueError(f"{self.name}: a curve needs as many distortions as rates, rates ascending.")

    def decibels(self, metric: Metric) -> tuple[float, ...]:
        """The distortions in dB.

        MS-SSIM is converted from the mean similarity, not averaged in decibels: published tables hold only
        the mean similarity, and only like may be compared with like.

        Raises:
            CurveError: the curve has no MS-SSIM.
        """
        if metric == "psnr":
            return self.psnr
        if self.ms_ssim is None:
            raise CurveError(f"{self.name} ({self.source}) was measured without MS-SSIM; use PSNR.")
        return tuple(ms_ssim_db(similarity) for similarity in self.ms_ssim)

    def front(self, metric: Metric = "psnr") -> Curve:
        """The Pareto front: points that no cheaper one reaches; points without error are left out.

        The distortion of a codec does not always fall as its quality rises, above all on drawings and text.
        Nobody would choose a point that costs more and looks worse, and Bjøntegaard deltas need curves that
        rise.
        """
        kept: list[int] = []
        best = -math.inf
        for place, value in enumerate(self.decibels(metric)):
            if best < value < math.inf:
                if kept and self.bpp[place] == self.bpp[kept[-1]]:
                    kept.pop()
                kept.append(place)
                best = value
        return self._only(kept)

    def finite(self, metric: Metric = "psnr") -> Curve:
        """The points whose distortion by a metric is finite, so which are not lossless.

        Raises:
            CurveError: the curve has no MS-SSIM.
        """
        return self._only([k for k, value in enumerate(self.decibels(metric)) if math.isfinite(value)])

    def _only(self, kept: Sequence[int]) -> Curve:
        similarity = None if self.ms_ssim is None else tuple(self.ms_ssim[k] for k in kept)
        return replace(
            self,
            bpp=tuple(self.bpp[k] for k in kept),
            psnr=tuple(self.psnr[k] for k in kept),
            ms_ssim=similarity,
        )

    def psnr_at(self, bpp: float) -> float | None:
        """PSNR at a rate, in dB, linear in the logarithm of the rate; ``None`` outside of the curve."""
        known = self.finite()
        if not known.bpp or not known.bpp[0] <= bpp <= known.bpp[-1]:
            return None
        return float(np.interp(math.log(bpp), [math.log(rate) for rate in known.bpp], known.psnr))


def check_same_images(curves: Iterable[Curve]) -> None:
    """Refuse curves that are known to be of different images.

    Raises:
        CurveError: two of them name different data sets.
    """
    named = [curve for curve in curves if curve.data_set is not None]
    for curve in named:
        if curve.data_set != named[0].data_set:
            raise CurveError(
                f"{named[0].name} is a curve of {named[0].data_set} and {curve.name} one of "
                f"{curve.data_set}: these are different images, so the two cannot be compared."
            )


def curves_of(points: Sequence[Point], source: str) -> list[Curve]:
    """One curve per codec, in the order of first appearance, points in ascending order of rate.

    Points without a rate or a finite PSNR are left out and counted in the curve's source; a curve may be
    empty.

    Args:
        points: means over a data set, one per codec and setting.
        source: of the curves.
    """
    codecs = dict.fromkeys(point[0] for point in points)
    return [_curve(codec, [p[1:] for p in points if p[0] == codec], source) for codec in codecs]


def read_curves(path: Path, data_set: str | None = None) -> list[Curve]:
    """The curves of a results file, named as measured here.

    Args:
        path: what ``glic test`` wrote.
        data_set: name of the published data set to compare with, if any.

    Raises:
        CurveError: it is no results file, or its images are not those of the data set by their number.
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
    if data_set is not None and SET_SIZES.get(data_set, images) != images:
        raise CurveError(
            f"{path} holds {images} images and {data_set} has {SET_SIZES[data_set]}: their means cannot be "
            "compared; measure the whole set, or leave the published curves out."
        )
    if data_set == "clic2020-professional" and images == SET_SIZES["clic-pro-valid"]:
        raise CurveError(
            f"{path} holds {images} images, as clic-pro-valid does; {data_set} is CompressAI's name for "
            "other images, so their means cannot be compared; use clic-pro-valid."
        )
    curves = curves_of(points, f"{path.name}, {images if of == images else f'{of} of {images}'} images")
    return [replace(curve, name=f"{curve.name} (measured)", data_set=data_set) for curve in curves]


def _text(value: object) -> str:
    """A name as a file has it.

    Raises:
        TypeError: it is of another type.
    """
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> float | None:
    """A number as a file has it, where null, NaN and infinities say that there is none.

    Raises:
        TypeError: it is of another type.
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
        source,
    )
