"""What every classical codec offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClassicalCodec", "Pixels"]

Pixels = NDArray[np.uint8]


class ClassicalCodec(Protocol):
    """Pixels to the bytes of a file and back, at one of many settings.

    Attributes:
        name: for files and options, lower case.
        title: for people.
        suffix: of its files.
        word: what a setting is called, ``"quality"`` or ``"QP"``.
        settings: every setting, in ascending order of rate.
        ladder: the few of them that make a curve.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def suffix(self) -> str: ...
    @property
    def word(self) -> str: ...
    @property
    def settings(self) -> Sequence[int]: ...
    @property
    def ladder(self) -> Sequence[int]: ...

    def missing(self) -> str | None:
        """What to install before it can be used; ``None`` if nothing."""

    def version(self) -> str:
        """The program and its version, as it is installed here."""

    def called(self, setting: int) -> str:
        """How the program is called at a setting; with its version and the pixels that decides the bytes."""

    def encode(self, pixels: Pixels, setting: int) -> bytes:
        """The bytes of a file of uint8 (H, W, 3) RGB or (H, W) grey, with nothing but the picture in it."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Pixels:
        """Pixels of a file that :meth:`encode` made of a picture of this shape, uint8."""
