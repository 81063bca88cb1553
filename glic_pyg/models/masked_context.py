"""Masked convolutions that predict latents from latents around them.

They are CompressAI's, without its overwriting of the stored weight: the weight keeps its bytes (and the
model its hash) when the model runs, and masked taps get no gradient.
"""

from __future__ import annotations

from compressai.layers import CheckerboardMaskedConv2d, MaskedConv2d
from torch import Tensor


class _MasksAsItRuns(MaskedConv2d):
    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)`` -> ``(B, 2C, h, w)``."""
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class CausalContext(_MasksAsItRuns):
    """Reads the places above and to the left (type A, arXiv 1606.05328)."""


class SpatialContext(_MasksAsItRuns, CheckerboardMaskedConv2d):
    """Reads the places of the checkerboard's other colour (arXiv 2103.15306)."""
