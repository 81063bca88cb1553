"""Crops out of pictures, a whole batch in one gather."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.training.crop_plan import CropPlan


def cut(pixels: Tensor, offsets: NDArray[np.int64], sizes: NDArray[np.int64], plan: CropPlan) -> Tensor:
    """Gather the pixels of B planned crops; there is no loop over them, on the CPU or on a GPU.

    Args:
        pixels: of all pictures, row after row and picture after picture, (P, 3) uint8.
        offsets: number of the first pixel of each crop's picture, (B,).
        sizes: heights and widths of the crops' pictures, (B, 2).
        plan: of the B crops.

    Returns:
        (B, 3, side, side) uint8, contiguous, on the device of `pixels`.
    """
    first, width, rows, columns, diagonal = (
        torch.from_numpy(np.ascontiguousarray(array)).to(pixels.device)
        for array in (offsets, sizes[:, 1], *plan.coordinates(sizes), plan.flips[:, 2])
    )
    index = (first[:, None] + rows * width[:, None])[:, :, None] + columns[:, None, :]
    index = torch.where(diagonal[:, None, None], index.mT, index)
    crops = pixels.index_select(0, index.flatten()).unflatten(0, index.shape)
    return crops.permute(0, 3, 1, 2).contiguous()
