"""A picture as the codec sees it: 8-bit colour or grey, perhaps alpha, and metadata."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.codec.metadata import Metadata

__all__ = ["Picture"]


@dataclass(frozen=True)
class Picture:
    """Pixels and what belongs to them.

    Attributes:
        colour: uint8 (H, W, 3) RGB, or (H, W) grey.
        alpha: uint8 (H, W), or ``None``.
        metadata: EXIF, ICC and XMP.
        source_mode: what the pixels were converted from, one of ``header.SOURCE_MODES``.
        notes: one sentence for everything about the source that is not kept.
        pixel_notes: those of them that are about pixels: conversions of colours, frames left out.
    """

    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    source_mode: str = "RGB"
    notes: tuple[str, ...] = ()
    pixel_notes: tuple[str, ...] = ()

    @property
    def grey(self) -> bool:
        """Whether there is one colour channel only."""
        return self.colour.ndim == 2

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.colour.shape[1], self.colour.shape[0]

    def array(self) -> NDArray[np.uint8]:
        """All channels in one uint8 array: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
        return self.colour if self.alpha is None else np.dstack([self.colour, self.alpha])

    def image(self) -> Image.Image:
        """The picture for Pillow, mode L, LA, RGB or RGBA, with its metadata in ``info``."""
        image = Image.fromarray(self.array())
        for key, value in (
            ("exif", self.metadata.exif and b"Exif\0\0" + self.metadata.exif),
            ("icc_profile", self.metadata.icc),
            ("xmp", self.metadata.xmp),
        ):
            if value:
                image.info[key] = value
        return image
