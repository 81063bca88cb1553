"""Summaries of measurements over a data set: means, BD-rates against every other codec, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from glic_pyg.evaluation.bd_rate import Delta, bd_psnr, bd_rate, delta_or_none
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.curves import Curve, curves_of
from glic_pyg.evaluation.measure import Measurement
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.metrics import finite_mean

__all__ = [
    "BDSummary",
    "Mean",
    "as_csv",
    "as_json",
    "bd_summaries",
    "broken_estimates",
    "comparable",
    "estimate_holds",
    "image_curves",
    "mean_curves",
    "means",
]

_ALLOWED_SHARE, _ALLOWED_BYTES = 0.01, 64


@dataclass(frozen=True)
class Mean:
    """Arithmetic means of one operating point over the images of a data set.

    Attributes:
        codec: ``"glic"``, ``"jpeg"``, ...
        setting: ``None`` if it differs between the images.
        images: how many images there are.
        size: bytes.
        bpp: bits per pixel.
        psnr: dB, over the ``psnr_images`` images with a finite PSNR; infinite if there are none.
        ms_ssim, ms_ssim_db: over the images, ``ms_ssim_images`` and ``ms_ssim_db_images``, that are large
            enough and, in dB, not lossless; ``None`` if no image is large enough.
        encode_seconds, decode_seconds: wall time per image.
        peak_memory: bytes; ``None`` if unknown.
    """

    codec: str
    setting: str | None
    images: int
    size: float
    bpp: float
    psnr: float
    psnr_images: int
    ms_ssim: float | None
    ms_ssim_images: int
    ms_ssim_db: float | None
    ms_ssim_db_images: int
    encode_seconds: float
    decode_seconds: float
    peak_memory: float | None


def means(comparisons: Sequence[Comparison]) -> tuple[Mean, ...]:
    """Average each operating point over the images, in the order of measurement.

    Raises:
        ValueError: there are no images.
    """
    if not comparisons:
        raise ValueError("There is nothing to average: no image was measured.")
    return tuple(_mean(codec) for codec in zip(*(c.codecs for c in comparisons), strict=True))


def comparable(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The images without a lossless file by any codec; all of them if there is no such image.

    Curves of means are over these, so that the means of all codecs, and rate and PSNR of each, are over the
    same images.
    """
    found = [c for c in comparisons if all(math.isfinite(m.quality.psnr) for m in c.codecs)]
    return found or list(comparisons)


def estimate_holds(size: int, estimated_bits: float) -> bool:
    """Whether a file is within 1 % + 64 bytes of the bits that the likelihoods predict.

    Args:
        size: bytes of the file, header included.
        estimated_bits: sum of -log2 of the likelihoods of all latents.
    """
    estimated = estimated_bits / 8
    return abs(size - estimated) <= _ALLOWED_SHARE * estimated + _ALLOWED_BYTES


def broken_estimates(comparisons: Sequence[Comparison]) -> list[str]:
    """Names of the images whose file is not within 1 % + 64 bytes of its estimate."""
    return [
        c.image
        for c in comparisons
        if c.estimated_bits is not None and not estimate_holds(c.ours.size, c.estimated_bits)
    ]


@dataclass(frozen=True)
class BDSummary:
    """Our codec against one other. Every delta is ``None`` where the curves do not overlap.

    Attributes:
        other: title of the other codec.
        bd_rate: rate of ours beyond the other at equal PSNR, from the curves of means.
        bd_rate_ms_ssim: the same at equal MS-SSIM.
        bd_psnr: gain of ours over the other at equal rate, in dB.
        bd_rate_by_image: ``bd_rate`` of each image.
        gain_by_image: dB at equal rate on each image. If ours has only one point, it is at its rate. If the
            best file of the other codec is smaller than ours, or its worst is larger, it is the difference of
            these two files: ours loses, or gains, at least as much.
    """

    other: str
    bd_rate: Delta | None
    bd_rate_ms_ssim: Delta | None
    bd_psnr: Delta | None
    bd_rate_by_image: Mapping[str, Delta | None]
    gain_by_image: Mapping[str, float | None]

    @property
    def gains(self) -> list[float]:
        """The known values of :attr:`gain_by_image`."""
        return [gain for gain in self.gain_by_image.values() if gain is not None]

    @property
    def wins(self) -> int:
        """Number of images with more PSNR in our file at equal rate."""
        return sum(gain > 0 for gain in self.gains)


def bd_summaries(comparisons: Sequence[Comparison], codec: str | None = None) -> list[BDSummary]:
    """One codec against each of the others, in the order of measurement.

    Args:
        comparisons: one per image.
        codec: its name; default: that of the codec that was measured first.
    """
    curves = mean_curves(comparisons)
    place = 0 if codec is None else [curve.name for curve in curves].index(codec)
    ours = curves[place]
    by_image = {c.image: image_curves(c) for c in comparisons}
    return [
        BDSummary(
            other.name,
            delta_or_none(bd_rate, other, ours),
            delta_or_none(bd_rate, other, ours, "ms-ssim"),
            delta_or_none(bd_psnr, other, ours),
            {name: delta_or_none(bd_rate, its[number], its[place]) for name, its in by_image.items()},
            {name: _gain(its[number], its[place]) for name, its in by_image.items()},
        )
        for number, other in enumerate(curves)
        if number != place
    ]


def mean_curves(comparisons: Sequence[Comparison], source: str = "measured here") -> list[Curve]:
    """The curve of each codec over the :func:`comparable` images, in the order of measurement."""
    points = [(m.codec, m.bpp, m.psnr, m.ms_ssim) for m in means(comparable(comparisons))]
    return curves_of(points, source)


def image_curves(comparison: Comparison) -> list[Curve]:
    """The curve of each codec on one image."""
    points = [(m.codec, m.bpp, m.quality.psnr, m.quality.ms_ssim) for m in comparison.codecs]
    return curves_of(points, comparison.image)


def as_json(comparisons: Sequence[Comparison], how: Provenance) -> str:
    """All numbers as JSON; with ``curves`` if those are over fewer images than the means.

    Null is infinite for PSNR and decibels, and unknown for MS-SSIM.

    Args:
        comparisons: what was measured.
        how: command, machine and date.
    """
    images = [
        {
            "image": c.image,
            "width": c.width,
            "height": c.height,
            "estimated_bits": c.estimated_bits,
            "codecs": [_row(m) for m in c.codecs],
        }
        for c in comparisons
    ]
    document = {**asdict(how), "mean": [asdict(mean) for mean in means(comparisons)]}
    if len(compared := comparable(comparisons)) < len(comparisons):
        document["curves"] = [asdict(mean) for mean in means(compared)]
    document["images"] = images
    return json.dumps(_finite(document), indent=1, allow_nan=False) + "\n"


def as_csv(comparisons: Sequence[Comparison]) -> str:
    """One row per image and operating point."""
    rows = [
        {"image": c.image, "width": c.width, "height": c.height, **_row(m)}
        for c in comparisons
        for m in c.codecs
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _mean(measured: Sequence[Measurement]) -> Mean:
    psnr, psnr_images = finite_mean(m.quality.psnr for m in measured)
    ms_ssim, ms_ssim_images = finite_mean(m.quality.ms_ssim for m in measured)
    decibels, decibels_images = finite_mean(m.quality.ms_ssim_db for m in measured)
    if decibels is None and ms_ssim is not None:
        decibels = math.inf
    return Mean(
        codec=measured[0].codec,
        setting=measured[0].setting if len({m.setting for m in measured}) == 1 else None,
        images=len(measured),
        size=fmean(m.size for m in measured),
        bpp=fmean(m.bpp for m in measured),
        psnr=math.inf if psnr is None else psnr,
        psnr_images=psnr_images,
        ms_ssim=ms_ssim,
        ms_ssim_images=ms_ssim_images,
        ms_ssim_db=decibels,
        ms_ssim_db_images=decibels_images,
        encode_seconds=fmean(m.encode_seconds for m in measured),
        decode_seconds=fmean(m.decode_seconds for m in measured),
        peak_memory=finite_mean(m.peak_memory for m in measured)[0],
    )


def _gain(theirs: Curve, ours: Curve) -> float | None:
    """Decibels at equal rate on one image; ``None`` if one of the codecs has only lossless files."""
    if len(ours.bpp) > 1 and (found := delta_or_none(bd_psnr, theirs, ours)):
        return found.value
    theirs = theirs.front()
    if not ours.bpp or not theirs.bpp:
        return None
    place = 0 if ours.bpp[0] > theirs.bpp[0] else -1
    bpp, psnr = ours.bpp[place], ours.psnr[place]
    at_ours = theirs.psnr_at(bpp)
    if at_ours is None:
        at_ours = theirs.psnr[-1 if bpp > theirs.bpp[-1] else 0]
        if (psnr - at_ours > 0) == (bpp > theirs.bpp[-1]):
            return None  # the better one spends more: that says nothing
    return psnr - at_ours


def _row(measured: Measurement) -> dict[str, object]:
    """A measurement as a flat dictionary."""
    row: dict[str, object] = asdict(measured)
    del row["quality"]
    quality = measured.quality
    return row | {"psnr": quality.psnr, "ms_ssim": quality.ms_ssim, "ms_ssim_db": quality.ms_ssim_db}


def _finite(value: object) -> object:
    """The document with None for infinities, which JSON lacks."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
