"""The hyperprior codec: convolutions and GDN, side information that tells the spread of every latent."""

from __future__ import annotations

from compressai.latent_codecs import GaussianConditionalLatentCodec, HyperLatentCodec, HyperpriorLatentCodec
from compressai.models import MeanScaleHyperprior, ScaleHyperprior
from torch import Tensor, nn

from glic_pyg.models.compressai_backbone import CompressAIBackbone


class Hyperprior(CompressAIBackbone):
    """Scale hyperprior (bmshj2018, arXiv 1802.01436), or with means as well (arXiv 1809.02736, section 3.1).

    The defaults are the published size for high rates; at low rates 128 and 192 channels were published
    too. One size serves all six lambdas here, so that a rate-distortion curve is of one architecture.

    Args:
        channels: N, of the transforms and of z.
        latent_channels: M, of y.
        mean_scale: predict means too, and round y around them; else the means are zero.
    """

    def __init__(self, channels: int = 192, latent_channels: int = 320, mean_scale: bool = False) -> None:
        inner = (MeanScaleHyperprior if mean_scale else ScaleHyperprior)(channels, latent_channels)
        h_a = inner.h_a if mean_scale else nn.Sequential(Magnitude(), *inner.h_a)
        gaussians = GaussianConditionalLatentCodec(
            gaussian_conditional=inner.gaussian_conditional,
            chunks=("scales", "means") if mean_scale else ("scales",),
        )
        hyper = HyperLatentCodec(inner.entropy_bottleneck, h_a, inner.h_s)
        super().__init__(
            inner.g_a,
            inner.g_s,
            HyperpriorLatentCodec({"y": gaussians, "hyper": hyper}),
            latent_channels,
            {"channels": channels, "latent_channels": latent_channels, "mean_scale": mean_scale},
        )


class Magnitude(nn.Module):
    """Absolute values: the scale hyperprior's h_a looks at the spread of y, not at its sign."""

    def forward(self, y: Tensor) -> Tensor:
        return y.abs()
