"""A codec of a few hundred parameters that keeps the training contract."""

from typing import Any

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor, nn

from glic_pyg.models.base import Codec


class TinyCodec(Codec):
    """One strided convolution there, one back, a factorized prior between."""

    multiple = 16

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.config = {"channels": channels}
        self.g_a = nn.Conv2d(3, channels, 4, stride=4)
        self.g_s = nn.ConvTranspose2d(channels, 3, 4, stride=4)
        self.side = nn.Linear(channels, channels, bias=False)
        self.bottleneck = EntropyBottleneck(channels)

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Noise in training, rounding in evaluation, as EntropyBottleneck does."""
        assert x.shape[-1] % self.multiple == 0 and x.shape[-2] % self.multiple == 0
        y_hat, likelihoods = self.bottleneck(10 * self.g_a(x))
        return {"x_hat": self.g_s(y_hat / 10), "likelihoods": {"y": likelihoods}}

    def ortho_loss(self) -> Tensor:
        """Distance of the side map from an orthogonal one."""
        weight = self.side.weight
        return (weight.T @ weight - torch.eye(len(weight))).square().mean()
