"""Rate-distortion points as others published them, each with its source (``published_points.json``)."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from glic_pyg.evaluation.curve import Curve, CurveError

__all__ = ["PUBLISHED_SETS", "published_curves"]

Curves = MappingProxyType[str, Curve]


def published_curves(data_set: str) -> Curves:
    """Every published curve of a data set, by name of the codec.

    Args:
        data_set: one of :data:`PUBLISHED_SETS`.

    Raises:
        CurveError: nothing was published for it.
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
"""``kodak``, three of CLIC and ``tecnick``; the CLIC of GLIC's paper is ``clic-pro-valid``."""
