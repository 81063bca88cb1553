"""The rate-distortion objective of the codec."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RateDistortion(NamedTuple):
    """Terms of the objective, each a 0-dimensional float tensor."""

    loss: Tensor
    bpp: Tensor
    """Estimated rate of all streams together, in bits per pixel."""
    mse: Tensor
    """Mean squared error on the [0, 1] scale."""
    ortho: Tensor
    """Orthogonality loss of the Haar side branch, not yet weighted."""


def estimated_bpp(likelihoods: Mapping[str, Tensor], pixels: int) -> Tensor:
    """Information content of the latents, :math:`-\\sum \\log_2 p / \\text{pixels}`.

    Args:
        likelihoods: probability of every coded symbol, one tensor of any shape for each stream.
        pixels: number of pixels that these symbols stand for (batch x height x width).

    Returns:
        Bits per pixel, 0-dimensional float32 (float64 for float64 likelihoods).
    """
    wide = [p if p.element_size() > 2 else p.float() for p in likelihoods.values()]
    nats = torch.stack([-p.log().sum() for p in wide]).sum()
    return nats / (math.log(2) * pixels)


class RateDistortionLoss(nn.Module):
    r"""Rate plus weighted distortion plus the orthogonality penalty of the side branch.

    .. math::
        L = R + \lambda \cdot 255^2 \cdot \mathrm{MSE} + w \cdot L_\mathrm{ortho}

    with the rate in bits per pixel (GLIC, arXiv 2603.25316, training details).

    Args:
        lmbda: λ, the price of distortion; published: 0.0017, 0.0035, 0.0067, 0.013, 0.025, 0.05.
        ortho_weight: w.
    """

    def __init__(self, lmbda: float = 0.013, ortho_weight: float = 0.1) -> None:
        super().__init__()
        if lmbda <= 0:
            raise ValueError(f"lmbda must be positive, got {lmbda}.")
        self.lmbda = lmbda
        self.ortho_weight = ortho_weight

    def forward(
        self, x: Tensor, x_hat: Tensor, likelihoods: Mapping[str, Tensor], ortho: Tensor
    ) -> RateDistortion:
        """Compute the terms.

        Args:
            x: original images, (B, 3, H, W) in [0, 1].
            x_hat: reconstructions, same shape, not clamped.
            likelihoods: see :func:`estimated_bpp`.
            ortho: orthogonality loss of the model, 0-dimensional.
        """
        batch, _, height, width = x.shape
        bpp = estimated_bpp(likelihoods, batch * height * width)
        mse = F.mse_loss(x_hat.float(), x.float())
        loss = bpp + self.lmbda * 255**2 * mse + self.ortho_weight * ortho
        return RateDistortion(loss, bpp, mse, ortho)
