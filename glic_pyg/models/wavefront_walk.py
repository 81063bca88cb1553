r"""Coding y with a raster-scan context, all places of a wavefront at once.

A causal 5x5 context (arXiv 1809.02736) reads two rows above, two columns to either side, and the two
places to the left. Whatever place (r, c) reads therefore lies on an earlier skewed diagonal

.. math:: t = c + 3 r,

and the places of one diagonal can be coded together: w + 3 (h - 1) steps instead of h w, with the same
result as place by place in raster order, which is how the model was meant and how CompressAI codes it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from compressai.latent_codecs import RasterScanLatentCodec
from compressai.layers import MaskedConv2d
from torch import Tensor
from torch.nn import functional as F

from glic_pyg.models.base import EntropyCoder
from glic_pyg.models.float64_network import float64_network


def code_wavefronts(
    codec: RasterScanLatentCodec, channel: EntropyCoder, y: Tensor | None, side: Tensor
) -> Tensor:
    """Send or receive y, every place given what is above it and to its left.

    Args:
        codec: a masked convolution and the 1x1 networks that turn context into Gaussians.
        channel: writes symbols (``y`` given) or reads them (``y`` is None).
        y: ``(1, M, h, w)`` latents, or None to decode.
        side: what h_s says, ``(1, 2M, h, w)`` float64.

    Returns:
        y_hat, ``(1, M, h, w)`` float64, equal on both sides.
    """
    context = CausalNeighbours(codec.context_prediction, side)
    parameters = float64_network(codec.entropy_parameters)
    for rows, columns in wavefronts(side.shape[2], side.shape[3], context.reach):
        front = torch.cat([side[:, :, rows, columns], context.at(rows, columns)], 1)
        scales, means = parameters(front[:, :, None]).chunk(2, 1)
        values = None if y is None else y[:, :, None, rows, columns]
        context.y_hat[:, :, rows, columns] = channel.gaussian(means, scales, values)[:, :, 0]
    return context.y_hat


def wavefronts(height: int, width: int, reach: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows and columns, two int64 ``(n,)`` each, of the diagonals column + (reach + 1) row."""
    skew = reach + 1
    for front in range(width + skew * (height - 1)):
        first = max(0, -((width - 1 - front) // skew))
        rows = torch.arange(first, min(height - 1, front // skew) + 1)
        yield rows, front - skew * rows


class CausalNeighbours:
    """The latents decoded so far, and a masked convolution of them at single places.

    Args:
        conv: kernel of side 2 reach + 1; only its unmasked taps are computed.
        side: gives height, width, device and dtype.

    Attributes:
        y_hat: ``(1, M, h, w)``, zeros where nothing is decoded yet; to be written to.
    """

    def __init__(self, conv: MaskedConv2d, side: Tensor) -> None:
        self.reach = conv.kernel_size[0] // 2
        height, width = side.shape[2:]
        self._padded = side.new_zeros(1, conv.in_channels, height + self.reach, width + 2 * self.reach)
        self.y_hat = self._padded[:, :, self.reach :, self.reach : self.reach + width]
        self._above, self._beside = conv.mask[0, 0].nonzero().cpu().T
        self._weight = conv.weight[:, :, self._above, self._beside].flatten(1).to(side)
        self._bias = conv.bias.to(side)

    def at(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The convolution at n places: ``(1, out_channels, n)``."""
        around = self._padded[0, :, rows[:, None] + self._above, columns[:, None] + self._beside]
        return F.linear(around.transpose(0, 1).flatten(1), self._weight, self._bias).T[None]
