"""Means over a data set, and the measurements as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.measure import Measurement
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.metrics import finite_mean

__all__ = ["Mean", "as_csv", "as_json", "broken_estimates", "comparable", "estimate_holds", "means"]

_ALLOWED_SHARE, _ALLOWED_BYTES = 0.01, 64


@dataclass(frozen=True)
class Mean:
    """Arithmetic means of one codec over the images of a data set.

    Attributes:
        codec: ``"glic"``, ``"jpeg"``, ...
        setting: ``None`` if it differs between the images.
        images: how many images there are.
        size: bytes.
        bpp: bits per pixel.
        psnr: dB, of the ``psnr_images`` images that have an error at all; infinite if none has.
        ms_ssim, ms_ssim_db: of those images, ``ms_ssim_images`` and ``ms_ssim_db_images``, that are large
            enough and, in dB, have an error; ``None`` if no image is large enough.
        encode_seconds, decode_seconds: wall time of one image.
        peak_memory: bytes; ``None`` where the system does not tell.
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
    """Average each codec over the images, in the order of the first image's codecs.

    Raises:
        ValueError: there are no images.
    """
    if not comparisons:
        raise ValueError("There is nothing to average: no image was measured.")
    return tuple(_mean(codec) for codec in zip(*(c.codecs for c in comparisons), strict=True))


def comparable(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The images of which every file has an error; all of them if there is no such image.

    Curves of means are drawn and compared over these: one codec's mean must not be of other images than
    another one's, nor its rate of other images than its PSNR.
    """
    found = [c for c in comparisons if all(math.isfinite(m.quality.psnr) for m in c.codecs)]
    return found or list(comparisons)


def estimate_holds(size: int, estimated_bits: float) -> bool:
    """Whether a whole file is within 1 % + 64 bytes of the bits that the likelihoods predict.

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


def as_json(comparisons: Sequence[Comparison], how: Provenance) -> str:
    """All numbers as JSON; ``curves`` where they are of fewer images than the means.

    A PSNR or decibels of null are infinite, an MS-SSIM of null was not possible.

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
    """One row for each image and codec."""
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


def _row(measured: Measurement) -> dict[str, object]:
    """One measurement as flat names and values."""
    row: dict[str, object] = asdict(measured)
    del row["quality"]
    quality = measured.quality
    return row | {"psnr": quality.psnr, "ms_ssim": quality.ms_ssim, "ms_ssim_db": quality.ms_ssim_db}


def _finite(value: object) -> object:
    """The same document with infinities as None, which JSON can say."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
