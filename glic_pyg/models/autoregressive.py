"""The joint autoregressive and hierarchical codec: the hyperprior's transforms, a causal context for y."""

from __future__ import annotations

from compressai.latent_codecs import HyperLatentCodec, HyperpriorLatentCodec, RasterScanLatentCodec
from compressai.models import JointAutoregressiveHierarchicalPriors

from glic_pyg.models.compressai_backbone import CompressAIBackbone
from glic_pyg.models.masked_context import CausalContext


class Autoregressive(CompressAIBackbone):
    """Means and scales from side information and a causal 5x5 context (mbt2018, arXiv 1809.02736).

    The defaults are the published size for high rates; at low rates 192 latent channels were published.

    Its forward pass, which is CompressAI's, rounds y to integers, because rounding around means that
    depend on rounded neighbours has an order. Files round around the means, as CompressAI's do.

    Args:
        channels: N, of the transforms and of z.
        latent_channels: M, of y.
    """

    def __init__(self, channels: int = 192, latent_channels: int = 320) -> None:
        inner = JointAutoregressiveHierarchicalPriors(channels, latent_channels)
        super().__init__(
            inner.g_a,
            inner.g_s,
            causal_latent_codec(inner),
            latent_channels,
            {"channels": channels, "latent_channels": latent_channels},
        )


def causal_latent_codec(model: JointAutoregressiveHierarchicalPriors) -> HyperpriorLatentCodec:
    """The entropy model of mbt2018 or of a codec built on it, with a context that keeps its weight."""
    context = CausalContext(model.M, 2 * model.M, kernel_size=5, padding=2)
    gaussians = RasterScanLatentCodec(model.gaussian_conditional, model.entropy_parameters, context)
    hyper = HyperLatentCodec(model.entropy_bottleneck, model.h_a, model.h_s)
    return HyperpriorLatentCodec({"y": gaussians, "hyper": hyper})
