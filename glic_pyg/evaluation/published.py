"""Published rate-distortion points (``published_points.json``) and the headline numbers of the paper."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, NamedTuple

from glic_pyg.evaluation.bd_rate import Delta, Method, bd_psnr, bd_rate
from glic_pyg.evaluation.curves import Curve, CurveError

__all__ = ["PAPER_CLAIMS", "PUBLISHED_SETS", "PaperClaim", "published_curves", "reproduced"]

Curves = MappingProxyType[str, Curve]


def published_curves(data_set: str) -> Curves:
    """The published curves of a data set, by codec.

    Args:
        data_set: one of :data:`PUBLISHED_SETS`.

    Raises:
        CurveError: there is none for it.
    """
    if data_set not in PUBLISHED_SETS:
        raise CurveError(f"No published points for '{data_set}'; there are {', '.join(PUBLISHED_SETS)}.")
    return _all()[data_set]


@lru_cache(maxsize=1)
def _all() -> dict[str, Curves]:
    text = (files("glic_pyg") / "evaluation" / "published_points.json").read_text(encoding="utf-8")
    return {
        data_set: MappingProxyType({name: _curve(name, **points) for name, points in curves.items()})
        for data_set, curves in json.loads(text).items()
    }


def _curve(
    name: str, source: str, bpp: list[float], psnr: list[float], ms_ssim: list[float] | None = None
) -> Curve:
    return Curve(name, tuple(bpp), tuple(psnr), None if ms_ssim is None else tuple(ms_ssim), source)


PUBLISHED_SETS = tuple(_all())
"""``kodak``, three sets of CLIC, ``tecnick``; the GLIC paper's CLIC is ``clic-pro-valid``."""


class PaperClaim(NamedTuple):
    """One number of arXiv 2603.25316: GLIC against an anchor.

    Attributes:
        data_set: name in the published points.
        anchor: name of the other codec.
        kind: ``"BD-rate"`` in percent, or ``"BD-PSNR"`` in dB.
        stated: the number as printed.
    """

    data_set: str
    anchor: str
    kind: Literal["BD-rate", "BD-PSNR"]
    stated: float


PAPER_CLAIMS = (
    PaperClaim("kodak", "VTM-9.1", "BD-rate", -19.29),
    PaperClaim("kodak", "FTIC", "BD-PSNR", 0.26),
    PaperClaim("clic-pro-valid", "FTIC", "BD-PSNR", 0.37),
    PaperClaim("tecnick", "FTIC", "BD-PSNR", 0.38),
    PaperClaim("kodak", "TCM-L", "BD-PSNR", 0.39),
    PaperClaim("clic-pro-valid", "TCM-L", "BD-PSNR", 0.46),
    PaperClaim("tecnick", "TCM-L", "BD-PSNR", 0.56),
)


def reproduced(claim: PaperClaim, method: Method = "akima") -> Delta:
    """The number of a claim, computed from the points that the two papers published.

    Small differences from the paper remain: published points are rounded, and the paper does not say how it
    interpolates.
    """
    curves = published_curves(claim.data_set)
    delta = bd_rate if claim.kind == "BD-rate" else bd_psnr
    return delta(curves[claim.anchor], curves["GLIC"], method=method)
