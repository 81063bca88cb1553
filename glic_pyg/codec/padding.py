"""Pictures to the padded tensors a model wants, and a model's output back to pixels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

__all__ = ["colour_from_tensor", "padded_size", "tensor_from_colour"]


def padded_size(width: int, height: int, multiple: int) -> tuple[int, int]:
    """The least (width, height) that are multiples of ``multiple`` and no smaller."""
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple


def tensor_from_colour(colour: NDArray[np.uint8], multiple: int, device: torch.device) -> Tensor:
    """Pixels as x: float32 (1, 3, H', W') in [0, 1], right and bottom padded by repeating the edge.

    Args:
        colour: uint8 (H, W, 3), or (H, W) grey, which becomes three equal channels.
    """
    pixels = torch.from_numpy(colour).to(device)
    x = pixels.permute(2, 0, 1) if pixels.ndim == 3 else pixels.expand(3, *pixels.shape)
    x = (x.to(torch.float32) / 255.0)[None]
    height, width = colour.shape[:2]
    wide, high = padded_size(width, height, multiple)
    return F.pad(x, (0, wide - width, 0, high - height), mode="replicate").contiguous()


def colour_from_tensor(x_hat: Tensor, width: int, height: int, *, grey: bool) -> NDArray[np.uint8]:
    """x_hat (1, 3, H', W') back to uint8 (height, width, 3); grey: (height, width), the channels' mean."""
    x = x_hat[0, :, :height, :width].float()
    x = x.mean(dim=0) if grey else x.permute(1, 2, 0)
    levels = x.clamp(0.0, 1.0).mul_(255.0).round_().to(torch.uint8)
    pixels: NDArray[np.uint8] = levels.contiguous().cpu().numpy()
    return pixels
