"""Fixed factors a channel: what conditions a network whose inputs or outputs differ much in size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Rescale"]


class Rescale(nn.Module):
    r"""Multiply every channel by a factor that is stored with the weights and not trained.

    .. math:: x'_c = 2^{e_c} x_c

    Latents of a transform codec have standard deviations from 30 (the mean of a block) to 0.3 (its finest
    detail). A step of Adam moves all weights of a layer by about the same amount, so what reads or predicts
    such channels unscaled learns the large ones too fast and the small ones too slowly. Factors are powers of
    two, hence exact in every floating-point format: a file decodes alike whatever the precision around.

    Args:
        channels: C.

    Shapes: ``(B, C, H, W)`` -> ``(B, C, H, W)``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor.to(x.dtype)[:, None, None]

    @torch.no_grad()
    def set(self, factor: Tensor) -> None:
        """Take the nearest powers of two of ``(C,)`` positive factors."""
        self.factor.copy_(factor.log2().round().exp2())

    def extra_repr(self) -> str:
        return f"{len(self.factor)}"
