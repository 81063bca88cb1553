"""A rate-distortion curve: one codec over a data set, one point a quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from glic_pyg.errors import GlicError
from glic_pyg.metrics import ms_ssim_db

__all__ = ["METRICS", "Curve", "CurveError", "Metric"]

Metric = Literal["psnr", "ms-ssim"]
METRICS: tuple[Metric, ...] = ("psnr", "ms-ssim")


class CurveError(GlicError):
    """A curve cannot be had, or not be compared with another."""


@dataclass(frozen=True)
class Curve:
    """Means over a data set at N qualities, in ascending order of rate.

    Attributes:
        name: of the codec.
        bpp: bits a pixel, N values.
        psnr: of 8-bit RGB, dB, N values.
        ms_ssim: mean similarity, 0 to 1, N values; ``None`` where nobody measured it.
        source: who measured it.
    """

    name: str
    bpp: tuple[float, ...]
    psnr: tuple[float, ...]
    ms_ssim: tuple[float, ...] | None
    source: str

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.bpp, self.psnr, self.ms_ssim) if values is not None}
        if len(lengths) != 1 or list(self.bpp) != sorted(self.bpp):
            raise ValueError(f"{self.name}: a curve needs as many distortions as rates, rates ascending.")

    def decibels(self, metric: Metric) -> tuple[float, ...]:
        """The distortions in dB.

        Those of MS-SSIM are of the mean similarity, not means of decibels: published tables hold no more, and
        only like may be compared with like.

        Raises:
            CurveError: the curve has no MS-SSIM.
        """
        if metric == "psnr":
            return self.psnr
        if self.ms_ssim is None:
            raise CurveError(f"{self.name} ({self.source}) was measured without MS-SSIM; use PSNR.")
        return tuple(ms_ssim_db(similarity) for similarity in self.ms_ssim)

    def front(self, metric: Metric = "psnr") -> Curve:
        """The points that no cheaper one reaches, those without error left out.

        Qualities of a codec are not always in the order of what they achieve, on drawings and text above
        all. Nobody would choose one that costs more and looks worse, and Bjøntegaard's deltas need curves
        that rise.
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
        """The points that have an error by a metric.

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
