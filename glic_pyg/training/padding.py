"""Whole images for a model that wants multiples of some number."""

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples.

    Args:
        x: images (B, C, H, W).
        multiple: e.g. 128.

    Returns:
        (B, C, H', W') with ``x`` in its top left corner.
    """
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")
