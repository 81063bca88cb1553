"""The bpp of this package, and whether real files keep to what the model predicted."""

from __future__ import annotations

__all__ = ["ALLOWED_BYTES", "ALLOWED_SHARE", "bpp", "estimate_holds"]

ALLOWED_SHARE, ALLOWED_BYTES = 0.01, 64


def bpp(size: int, width: int, height: int) -> float:
    """Bits a pixel: all bytes of the file over the picture's own pixels, padding not counted.

    Args:
        size: bytes of the file.
        width, height: of the picture, in pixels.
    """
    return 8 * size / (width * height)


def estimate_holds(size: int, estimated_bits: float) -> bool:
    """Whether a whole file is within 1 % + 64 bytes of the bits that the likelihoods predict.

    Args:
        size: bytes of the file, header included.
        estimated_bits: sum of -log2 of the likelihoods of all latents.
    """
    estimated = estimated_bits / 8
    return abs(size - estimated) <= ALLOWED_SHARE * estimated + ALLOWED_BYTES
