"""What a reconstruction costs, by one measure or another."""

import torch
from compressai.ops.bound_ops import LowerBoundFunction
from torch import Tensor
from torch.nn import functional as F

from glic_pyg.errors import TrainingError
from glic_pyg.metrics import MS_SSIM_MIN_SIDE

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
