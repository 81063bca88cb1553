"""Effective receptive fields: how much each pixel moves a latent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.codec.pixels import ExtendedImage
from glic_pyg.inspection.graphs import Node
from glic_pyg.models.base import LATENT_STRIDE

__all__ = ["ReceptiveFields", "latent_grid", "receptive_fields"]


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """Effective receptive fields of P positions of y over an image of H x W pixels.

    Attributes:
        positions: (P, 2) int64, row and column in y, which has one position every 16 pixels.
        maps: (P, H, W) float32, the share of each pixel in the gradient of a position; a map sums to 1.
    """

    positions: NDArray[np.int64]
    maps: NDArray[np.float32]


def receptive_fields(model: Any, image: NDArray[np.uint8], positions: Sequence[Node]) -> ReceptiveFields:
    r"""Gradients of latents with respect to pixels.

    .. math:: f_{rc}(u) \propto \sum_{\mathrm{rgb}} \left|
              \frac{\partial}{\partial x_u} \sum_m y_{m,r,c} \right|

    After Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks"
    (arXiv 1701.04128, section 4), for one image instead of a mean over many, because here the graphs, and
    with them the field, depend on the image. The graphs are constants: no gradient flows through their
    construction.

    Args:
        model: a codec model in eval mode.
        image: uint8 (H, W, 3) or (H, W).
        positions: rows and columns of y.

    Raises:
        ValueError: a position lies outside of y.
    """
    device, (height, width) = next(model.parameters()).device, image.shape[:2]
    extended = ExtendedImage(image, LATENT_STRIDE, device)
    x = extended.rows(0, extended.shape[2]).requires_grad_()
    shape = tuple(length // LATENT_STRIDE for length in x.shape[2:])
    for row, column in positions:
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise ValueError(
                f"position {(row, column)} is not in a y of {shape[0]} x {shape[1]}: choose one that is"
            )
    with torch.enable_grad(), torch.autocast(device.type, enabled=False):
        y = model.g_a(x).sum(1)[0]
        gradients = [torch.autograd.grad(y[position], x, retain_graph=True)[0] for position in positions]
    del y
    fields = np.stack([_field(gradient[0, :, :height, :width]) for gradient in gradients])
    return ReceptiveFields(np.array(positions, np.int64), fields)


def latent_grid(height: int, width: int, count: int) -> list[Node]:
    """About ``count`` positions of y, evenly spread over an image of height x width pixels, row by row."""
    rows = max(1, round(math.sqrt(count * height / width)))
    columns = max(1, round(count / rows))
    down, across = (
        [(2 * i + 1) * length // (2 * steps * LATENT_STRIDE) for i in range(steps)]
        for length, steps in ((height, rows), (width, columns))
    )
    return [(row, column) for row in down for column in across]


def _field(gradient: Tensor) -> NDArray[np.float32]:
    """A gradient (3, H, W) as shares of its sum, (H, W)."""
    field: NDArray[np.float32] = gradient.abs().sum(0).cpu().numpy()
    return field / (float(field.sum(dtype=np.float64)) or 1.0)
