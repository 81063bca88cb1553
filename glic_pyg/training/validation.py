"""Metrics of a whole image, padded to what the model takes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from glic_pyg.metrics import MS_SSIM_MIN_SIDE, ms_ssim, psnr
from glic_pyg.models.base import Codec
from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.training.losses import RateDistortionLoss, estimated_bpp


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples.

    Args:
        x: images (B, C, H, W).
        multiple: e.g. 128.

    Returns:
        (B, C, H', W') with ``x`` in its top left corner.
    """
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


@torch.no_grad()
def measure_image(
    model: Codec,
    x: Tensor,
    loss: RateDistortionLoss,
    regularizer: Regularizer | None = None,
    quality: float | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Rate and quality of an image of any size.

    Args:
        model: in eval mode.
        x: (B, 3, H, W) in [0, 1].
        loss: gives λ and the distortion; its orthogonality term is left out.
        regularizer: its H_theta of the reconstruction is measured too.
        quality: at which a variable-rate model codes it, 0 to 100; λ is then that of the quality.

    Returns:
        Means by name (estimated bpp, PSNR in dB, MS-SSIM and the same in dB unless the image is too small
        for it, ``H_theta`` in bits per pixel, loss), and x_hat, (B, 3, H, W), clamped to [0, 1].
    """
    height, width = x.shape[-2:]
    padded = pad_to_multiple(x, model.multiple)
    at = [] if quality is None else [x.new_tensor([quality])]
    out = model(padded, *at)
    raw = out["x_hat"][..., :height, :width].float()
    x_hat = raw.clamp(0, 1)
    bpp = estimated_bpp(out["likelihoods"], len(x) * height * width)
    figures = {
        "bpp": bpp,
        "psnr": psnr(x_hat, x).mean(),
        "loss": bpp + _lmbda(model, loss, *at) * loss.distortion(x_hat, x),
    }
    if min(height, width) >= MS_SSIM_MIN_SIDE:
        similarity = ms_ssim(x_hat, x)
        figures |= {"ms_ssim": similarity.mean(), "ms_ssim_db": (-10 * (1 - similarity).log10()).mean()}
    if regularizer is not None:
        figures["H_theta"] = _entropy_of_any_size(regularizer, x, raw)
    return figures, x_hat


def _lmbda(model: Codec, loss: RateDistortionLoss, *quality: Tensor) -> Tensor | float:
    """The price of distortion at a quality, or of a model of one rate."""
    rates = model.rates
    return loss.lmbda if rates is None or not quality else rates.lmbda(*quality).mean()


def _entropy_of_any_size(regularizer: Regularizer, x: Tensor, x_hat: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    padded = (pad_to_multiple(image, regularizer.multiple) for image in (x, x_hat))
    return regularizer.model(*padded)[..., :height, :width].sum() / (len(x) * height * width)
