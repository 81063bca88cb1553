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
from glic_pyg.evaluation.measure import Measured
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.rate import estimate_holds

__all__ = ["Mean", "as_csv", "as_json", "broken_estimates", "means"]


@dataclass(frozen=True)
class Mean:
    """Arithmetic means of one codec over the images of a data set.

    Attributes:
        codec: ``"glic"``, ``"jpeg"``, ...
        setting: ``None`` if it differs between the images.
        size: bytes.
        bpp, psnr: bits a pixel and dB.
        ms_ssim, ms_ssim_db: means over the images large enough; ``None`` if there is none.
        encode_seconds, decode_seconds: wall time of one image.
        peak_memory: bytes; ``None`` where the system does not tell.
    """

    codec: str
    setting: str | None
    size: float
    bpp: float
    psnr: float
    ms_ssim: float | None
    ms_ssim_db: float | None
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


def broken_estimates(comparisons: Sequence[Comparison]) -> list[str]:
    """Names of the images whose file is not within 1 % + 64 bytes of its estimate."""
    return [
        c.image
        for c in comparisons
        if c.estimated_bits is not None and not estimate_holds(c.ours.size, c.estimated_bits)
    ]


def as_json(comparisons: Sequence[Comparison], how: Provenance) -> str:
    """All numbers as JSON; a PSNR of null is infinite, an MS-SSIM of null was not possible.

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
    document = {**asdict(how), "mean": [asdict(mean) for mean in means(comparisons)], "images": images}
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


def _mean(measured: Sequence[Measured]) -> Mean:
    qualities = [m.quality for m in measured]
    return Mean(
        measured[0].codec,
        measured[0].setting if len({m.setting for m in measured}) == 1 else None,
        fmean(m.size for m in measured),
        fmean(m.bpp for m in measured),
        fmean(q.psnr for q in qualities),
        _mean_of_known([q.ms_ssim for q in qualities]),
        _mean_of_known([q.ms_ssim_db for q in qualities]),
        fmean(m.encode_seconds for m in measured),
        fmean(m.decode_seconds for m in measured),
        _mean_of_known([m.peak_memory for m in measured]),
    )


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _row(measured: Measured) -> dict[str, object]:
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
