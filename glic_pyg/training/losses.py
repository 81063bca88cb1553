"""The rate-distortion objective of the codec, and the distortions it may weigh."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from compressai.ops.bound_ops import LowerBoundFunction
from torch import Tensor, nn
from torch.nn import functional as F

from glic_pyg.errors import TrainingError
from glic_pyg.metrics import MS_SSIM_MIN_SIDE
from glic_pyg.numerics import at_least_float32

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW_TAPS, WINDOW_SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
LEAST_SIMILARITY = 1e-3


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    r""":math:`255^2 \cdot \mathrm{MSE}` of (B, 3, H, W) images in [0, 1], 0-dimensional."""
    return 255**2 * F.mse_loss(x_hat, x)


def structural_dissimilarity(x_hat: Tensor, x: Tensor) -> Tensor:
    r""":math:`1 - \mathrm{MS\text{-}SSIM}` (Wang, Simoncelli and Bovik 2003, 5 scales), a mean over all.

    The value is that of pytorch-msssim. The gradient differs where a reconstruction is so bad that a
    contrast-structure term is not positive, as in the first steps of training: there the usual clamp at 0
    gives no gradient, or NaN (an infinite slope times zero). Here terms are bounded below by 1e-3 and go on
    pulling upwards (the gradient of CompressAI's ``LowerBound``).

    Args:
        x_hat: reconstructions (B, 3, H, W), not clamped.
        x: originals in [0, 1], the same shape.

    Raises:
        TrainingError: the crops are smaller than 161 pixels.
    """
    if min(x.shape[-2:]) < MS_SSIM_MIN_SIDE:
        height, width = x.shape[-2:]
        raise TrainingError(
            f"MS-SSIM has 5 scales and needs images of at least {MS_SSIM_MIN_SIDE} pixels a side, not "
            f"{width}x{height}: choose a larger data.crop, or the loss on the squared error."
        )
    similarity = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x_hat, x = (
                F.avg_pool2d(image, 2, padding=[side % 2 for side in image.shape[2:]]) for image in (x_hat, x)
            )
        luminance, structure = _ssim_terms(x_hat, x)
        last = scale == len(SCALE_WEIGHTS) - 1
        term = (luminance * structure if last else structure).mean((2, 3))
        similarity = similarity * LowerBoundFunction.apply(term, term.new_tensor(LEAST_SIMILARITY)) ** weight
    return 1 - similarity.mean()


def _ssim_terms(x_hat: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure at every place of the window, (B, 3, H - 10, W - 10)."""
    mean, mean_hat = _blur(x), _blur(x_hat)
    variance, variance_hat = _blur(x * x) - mean**2, _blur(x_hat * x_hat) - mean_hat**2
    covariance = _blur(x * x_hat) - mean * mean_hat
    luminance = (2 * mean * mean_hat + C1) / (mean**2 + mean_hat**2 + C1)
    return luminance, (2 * covariance + C2) / (variance + variance_hat + C2)


def _blur(image: Tensor) -> Tensor:
    """Gaussian window where it fits whole, separably."""
    taps = torch.arange(WINDOW_TAPS, dtype=image.dtype, device=image.device) - WINDOW_TAPS // 2
    window = torch.exp(-(taps**2) / (2 * WINDOW_SIGMA**2))
    window = (window / window.sum()).expand(image.shape[1], 1, 1, -1)
    image = F.conv2d(image, window, groups=image.shape[1])
    return F.conv2d(image, window.mT, groups=image.shape[1])


class RateDistortion(NamedTuple):
    """Terms of the objective, each a 0-dimensional float tensor."""

    loss: Tensor
    bpp: Tensor
    """Estimated rate of all streams together, in bits per pixel."""
    mse: Tensor | None
    """Mean squared error on the [0, 1] scale, without gradient; None where nothing was reconstructed."""
    distortion: Tensor
    """D of the objective, not yet weighted; 0 where nothing was reconstructed."""
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
        distortion: (x_hat, x), both (B, 3, H, W) → D, 0-dimensional; see :mod:`glic_pyg.training.losses`.
        balance: b, for models of many rates only: an image coded at λ' counts with the weight
            :math:`(\lambda' / \lambda)^{-b}`, so that high rates, whose costs and gradients are larger,
            do not drown low ones; 0 weights all alike.
        rate_only: training lets D count for nothing and reconstructs nothing: for an entropy model that
            learns alone, on latents that stand still.
    """

    def __init__(
        self,
        lmbda: float = 0.013,
        ortho_weight: float = 0.1,
        distortion: Callable[[Tensor, Tensor], Tensor] = squared_error,
        balance: float = 0.0,
        rate_only: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < lmbda < math.inf:
            raise ValueError(f"lmbda must be positive, got {lmbda}.")
        if not 0 <= ortho_weight < math.inf:
            raise ValueError(f"ortho_weight must not be negative, got {ortho_weight}.")
        self.lmbda = lmbda
        self.ortho_weight = ortho_weight
        self.distortion = distortion
        self.balance = balance
        self.rate_only = rate_only

    def forward(
        self,
        x: Tensor,
        x_hat: Tensor | None,
        likelihoods: Mapping[str, Tensor],
        ortho: Tensor,
        lmbdas: Tensor | None = None,
    ) -> RateDistortion:
        """Compute the terms, in float32 at least.

        Args:
            x: original images, (B, 3, H, W) in [0, 1].
            x_hat: reconstructions, same shape, not clamped; None lets D be 0.
            likelihoods: see :func:`estimated_bpp`.
            ortho: orthogonality loss of the model, 0-dimensional.
            lmbdas: λ of each image, (B,), where a model learns many rates at once.
        """
        x = at_least_float32(x)
        x_hat = None if x_hat is None else at_least_float32(x_hat)
        if lmbdas is None:
            bpp, distortion = self._terms(x, x_hat, likelihoods)
            cost = bpp + self.lmbda * distortion
        else:
            bpps, distortions = self._terms_of_each(x, x_hat, likelihoods)
            weights = (lmbdas / self.lmbda) ** -self.balance
            cost = (weights * (bpps + lmbdas * distortions)).mean()
            bpp, distortion = bpps.mean(), distortions.mean()
        loss = cost + self.ortho_weight * ortho
        mse = None if x_hat is None else F.mse_loss(x_hat.detach(), x)
        return RateDistortion(loss, bpp, mse, distortion, ortho)

    def _terms(
        self, x: Tensor, x_hat: Tensor | None, likelihoods: Mapping[Any, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Rate in bits per pixel and D of some images together, both 0-dimensional."""
        pixels = x.shape[0] * x.shape[2] * x.shape[3]
        bpp = estimated_bpp(likelihoods, pixels)
        return bpp, bpp.new_zeros(()) if x_hat is None else self.distortion(x_hat, x)

    def _terms_of_each(
        self, x: Tensor, x_hat: Tensor | None, likelihoods: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Rate and D of each image, both (B,)."""
        streams = zip(*(likelihood.split(1) for likelihood in likelihoods.values()), strict=True)
        hats = [None] * len(x) if x_hat is None else x_hat.split(1)
        images = zip(x.split(1), hats, streams, strict=True)
        terms = [self._terms(one, one_hat, dict(enumerate(parts))) for one, one_hat, parts in images]
        bpps, distortions = zip(*terms, strict=True)
        return torch.stack(bpps), torch.stack(distortions)
