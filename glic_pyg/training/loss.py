"""The rate-distortion objective of the codec."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glic_pyg.numerics import at_least_float32
from glic_pyg.training.distortion import squared_error


class RateDistortion(NamedTuple):
    """Terms of the objective, each a 0-dimensional float tensor."""

    loss: Tensor
    bpp: Tensor
    """Estimated rate of all streams together, in bits per pixel."""
    mse: Tensor
    """Mean squared error on the [0, 1] scale, without gradient."""
    distortion: Tensor
    """D of the objective, not yet weighted."""
    ortho: Tensor
    """Orthogonality loss of the Haar side branch, not yet weighted."""


def estimated_bpp(likelihoods: Mapping[Any, Tensor], pixels: int) -> Tensor:
    """Information content of the latents, :math:`-\\sum \\log_2 p / \\text{pixels}`.

    Args:
        likelihoods: probability of every coded symbol, one tensor of any shape for each stream.
        pixels: number of pixels that these symbols stand for (batch x height x width).

    Returns:
        Bits per pixel, 0-dimensional float32 (float64 for float64 likelihoods).
    """
    nats = torch.stack([-at_least_float32(p).log().sum() for p in likelihoods.values()]).sum()
    return nats / (math.log(2) * pixels)


class RateDistortionLoss(nn.Module):
    r"""Rate plus weighted distortion plus the orthogonality penalty of the side branch.

    .. math::
        L = R + \lambda \cdot D + w \cdot L_\mathrm{ortho}

    with the rate in bits per pixel and D = 255^2 MSE or 1 - MS-SSIM (arXiv 2603.25316, training details).

    Args:
        lmbda: λ, the price of distortion; published for the squared error: 0.0017, 0.0035, 0.0067, 0.013,
            0.025, 0.05.
        ortho_weight: w.
        distortion: (x_hat, x), both (B, 3, H, W) → D, 0-dimensional; see :mod:`glic_pyg.training.distortion`.
        balance: b, for models of many rates only: an image coded at λ' counts with the weight
            :math:`(\lambda' / \lambda)^{-b}`, so that high rates, whose costs and gradients are larger,
            do not drown low ones; 0 weights all alike.
    """

    def __init__(
        self,
        lmbda: float = 0.013,
        ortho_weight: float = 0.1,
        distortion: Callable[[Tensor, Tensor], Tensor] = squared_error,
        balance: float = 0.0,
    ) -> None:
        super().__init__()
        if lmbda <= 0:
            raise ValueError(f"lmbda must be positive, got {lmbda}.")
        self.lmbda = lmbda
        self.ortho_weight = ortho_weight
        self.distortion = distortion
        self.balance = balance

    def forward(
        self,
        x: Tensor,
        x_hat: Tensor,
        likelihoods: Mapping[str, Tensor],
        ortho: Tensor,
        lmbdas: Tensor | None = None,
    ) -> RateDistortion:
        """Compute the terms, in float32 at least.

        Args:
            x: original images, (B, 3, H, W) in [0, 1].
            x_hat: reconstructions, same shape, not clamped.
            likelihoods: see :func:`estimated_bpp`.
            ortho: orthogonality loss of the model, 0-dimensional.
            lmbdas: λ of each image, (B,), where a model learns many rates at once.
        """
        x, x_hat = at_least_float32(x), at_least_float32(x_hat)
        if lmbdas is None:
            bpp, distortion = self._terms(x, x_hat, likelihoods)
            cost = bpp + self.lmbda * distortion
        else:
            bpps, distortions = self._terms_of_each(x, x_hat, likelihoods)
            weights = (lmbdas / self.lmbda) ** -self.balance
            cost = (weights * (bpps + lmbdas * distortions)).mean()
            bpp, distortion = bpps.mean(), distortions.mean()
        loss = cost + self.ortho_weight * ortho
        return RateDistortion(loss, bpp, F.mse_loss(x_hat.detach(), x), distortion, ortho)

    def _terms(self, x: Tensor, x_hat: Tensor, likelihoods: Mapping[Any, Tensor]) -> tuple[Tensor, Tensor]:
        """Rate in bits per pixel and D of some images together, both 0-dimensional."""
        pixels = x.shape[0] * x.shape[2] * x.shape[3]
        return estimated_bpp(likelihoods, pixels), self.distortion(x_hat, x)

    def _terms_of_each(
        self, x: Tensor, x_hat: Tensor, likelihoods: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Rate and D of each image, both (B,)."""
        streams = zip(*(likelihood.split(1) for likelihood in likelihoods.values()), strict=True)
        images = zip(x.split(1), x_hat.split(1), streams, strict=True)
        terms = [self._terms(one, one_hat, dict(enumerate(parts))) for one, one_hat, parts in images]
        bpps, distortions = zip(*terms, strict=True)
        return torch.stack(bpps), torch.stack(distortions)
