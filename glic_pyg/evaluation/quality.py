"""How near a reconstruction is to its original, on 8-bit pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.metrics import MS_SSIM_MIN_SIDE, ms_ssim, ms_ssim_db, pixel_psnr

__all__ = ["Quality", "quality_of"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Quality:
    """How near a reconstruction is to its original.

    Attributes:
        psnr: dB, infinite for equal pictures.
        ms_ssim: 0 to 1; ``None`` if the picture is too small for its 5 scales.
    """

    psnr: float
    ms_ssim: float | None

    @property
    def ms_ssim_db(self) -> float | None:
        """MS-SSIM in decibels."""
        return None if self.ms_ssim is None else ms_ssim_db(self.ms_ssim)


def quality_of(decoded: Pixels, original: Pixels) -> Quality:
    """Compare 8-bit pictures of one shape, (H, W, 3) or (H, W).

    Raises:
        ValueError: their shapes differ.
    """
    if decoded.shape != original.shape:
        raise ValueError(f"A picture of shape {decoded.shape} is no copy of one of shape {original.shape}.")
    large = min(original.shape[:2]) >= MS_SSIM_MIN_SIDE
    similarity = ms_ssim(_planes(decoded), _planes(original)).item() if large else None
    return Quality(pixel_psnr(decoded, original), similarity)


def _planes(pixels: Pixels) -> Tensor:
    """uint8 (H, W) or (H, W, 3) to float64 (1, C, H, W) in [0, 1]."""
    return torch.from_numpy(np.atleast_3d(pixels).copy()).permute(2, 0, 1)[None].double() / 255
