"""Masked convolutions that predict latents from latents around them.

They are CompressAI's, without its overwriting of the stored weight: the weight keeps its bytes (and the
model its hash) when the model runs, and masked taps get no gradient.
"""

from __future__ import annotations

import torch.nn.functional as F
from compressai.layers import CheckerboardMaskedConv2d, MaskedConv2d
from torch import Tensor, nn

from glic_pyg.nn import Rescale


class _MasksAsItRuns(MaskedConv2d):
    """A masked convolution that leaves its stored weight alone.

    Args:
        in_channels, out_channels: C and 2C.
        rescaled: multiply its input channels by fixed factors first, see :class:`~glic_pyg.nn.Rescale`.
        kernel_size, padding: as of a convolution.
    """

    rescale: Rescale | None

    def __init__(self, in_channels: int, out_channels: int, *, rescaled: bool = False, **kernel: int) -> None:
        super().__init__(in_channels, out_channels, **kernel)
        self.register_module("rescale", Rescale(in_channels) if rescaled else None)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)`` -> ``(B, 2C, h, w)``."""
        return self._conv_forward(x, self.taps() * self.mask, self.bias)

    def taps(self) -> Tensor:
        """The kernel that x is convolved with, but for the mask: the weight, its input channels rescaled."""
        return self.weight if self.rescale is None else self.weight * self.rescale.factor[:, None, None]


class CausalContext(_MasksAsItRuns):
    """Reads the places above and to the left (type A, arXiv 1606.05328)."""


class SpatialContext(_MasksAsItRuns, CheckerboardMaskedConv2d):
    """Reads the places of the checkerboard's other colour (arXiv 2103.15306)."""


class SecondHalfContext(nn.Module):
    """A 5x5 :class:`SpatialContext` that computes only what is asked of it, a quarter of its products.

    The mask drops half of the taps, and only the second half of the checkerboard asks. With the first half
    pushed together as CompressAI's codec does it, the places that a tap row reads lie side by side, two in
    every other row of the kernel and three in the others, the two further to the left by one if the row that
    asks is odd: two dense kernels of 5x3.

    Shapes: first half ``(B, C, h, w / 2)``, h even -> second half ``(B, 2C, h, w / 2)``.
    """

    def __init__(self, context: SpatialContext) -> None:
        super().__init__()
        self.context = context

    def forward(self, first: Tensor) -> Tensor:
        weight, bias = self.context.taps(), self.context.bias
        even, odd = (weight.new_zeros(*weight.shape[:3], 3) for _ in range(2))
        even[:, :, 1::2] = odd[:, :, 1::2] = weight[:, :, 1::2, 0::2]
        even[:, :, 0::2, 1:] = odd[:, :, 0::2, :2] = weight[:, :, 0::2, 1::2]
        padded = F.pad(first, (1, 1, 2, 2))
        second = first.new_empty(len(first), len(weight), *first.shape[2:])
        second[:, :, 0::2] = F.conv2d(padded, even, bias, stride=(2, 1))
        second[:, :, 1::2] = F.conv2d(padded[:, :, 1:], odd, bias, stride=(2, 1))
        return second
