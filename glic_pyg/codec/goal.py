"""What may be asked of a file: a quality, or a size or PSNR that a quality has to be found for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from glic_pyg.codec.header import HIGHEST_QUALITY, QUALITY_STEPS
from glic_pyg.errors import BadArgument, GlicError

__all__ = ["DEFAULT_QUALITY", "Goal", "Kind", "file_quality", "one_goal"]

Kind = Literal["quality", "bytes", "bpp", "psnr"]

DEFAULT_QUALITY = 50.0
"""The middle of a model's rates, where nothing is asked."""

_NAMES = {"quality": "quality", "bytes": "target_bytes", "bpp": "target_bpp", "psnr": "target_psnr"}
_UNITS = {"quality": "quality {:g}", "bytes": "{:,.0f} bytes", "bpp": "{:.4g} bpp", "psnr": "{:.2f} dB"}


@dataclass(frozen=True)
class Goal:
    """One wish.

    Attributes:
        kind: ``"quality"``; or the size of the whole file in ``"bytes"`` or, ``"bpp"``, in bits a pixel; or
            ``"psnr"`` of the decoded 8-bit picture, alpha left out, in dB.
        value: a quality from 0 to 100, or more than 0 of the others.

    Raises:
        GlicError: there is no such value.
    """

    kind: Kind
    value: float

    def __post_init__(self) -> None:
        if isinstance(self.value, bool | str | bytes) or not hasattr(self.value, "__float__"):
            raise BadArgument(f"A {_NAMES[self.kind]} is a number, not {self.value!r}.")
        object.__setattr__(self, "value", float(self.value))
        if self.kind == "quality" and not 0 <= self.value <= HIGHEST_QUALITY:
            raise GlicError(f"A quality is a number from 0 to {HIGHEST_QUALITY:g}, not {self.value:g}.")
        if self.kind != "quality" and not 0 < self.value < math.inf:
            raise GlicError(f"A target is a number above 0, not {self.text(self.value)}.")

    def text(self, value: float) -> str:
        """A value of this kind with its unit."""
        return _UNITS[self.kind].format(value)


def one_goal(
    *,
    quality: float | None = None,
    target_bytes: float | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
) -> Goal | None:
    """The goal among the four that is not ``None``, if any.

    Raises:
        GlicError: there are several, or its value makes no sense.
    """
    wishes: dict[Kind, float | None] = {
        "quality": quality,
        "bytes": target_bytes,
        "bpp": target_bpp,
        "psnr": target_psnr,
    }
    goals = [Goal(kind, value) for kind, value in wishes.items() if value is not None]
    if len(goals) > 1:
        raise GlicError("Give one of quality, target_bytes, target_bpp and target_psnr, not several.")
    return goals[0] if goals else None


def file_quality(quality: float) -> float:
    """The nearest quality that a file can state."""
    return round(quality * QUALITY_STEPS) / QUALITY_STEPS
