"""What encoding and decoding return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.codec.container import Container
from glic_pyg.codec.picture import Picture
from glic_pyg.metrics import bpp

__all__ = ["Decoded", "Encoded"]


@dataclass(frozen=True)
class Encoded:
    """A file and what it cost.

    Attributes:
        data: the bytes of the file.
        width, height: of the picture, in pixels.
        quality: 0 to 100, as the file states it; ``None`` for weights of one fixed rate.
        latent_bits: real bits of the latents stream.
        estimated_bits: bits the model's likelihoods predict for the latents; ``None`` unless asked for.
        notes: what about the source is not kept, and of a target not met.
        psnr: of the decoded 8-bit image, alpha left out, in dB; ``None`` unless it was the target.
    """

    data: bytes
    width: int
    height: int
    quality: float | None
    latent_bits: int
    estimated_bits: float | None
    notes: tuple[str, ...]
    psnr: float | None = None

    @property
    def bpp(self) -> float:
        """Bits of the whole file a pixel of the picture."""
        return bpp(len(self.data), self.width, self.height)


@dataclass(frozen=True)
class Decoded:
    """A picture and the file it came from."""

    picture: Picture
    container: Container

    @property
    def image(self) -> Image.Image:
        """The picture for Pillow."""
        return self.picture.image()

    @property
    def array(self) -> NDArray[np.uint8]:
        """The picture as uint8 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
        return self.picture.array()
