"""The attention codec: residual blocks and attention in the transforms, a causal context for y."""

from __future__ import annotations

from compressai.models import Cheng2020Attention

from glic_pyg.models.autoregressive import causal_latent_codec
from glic_pyg.models.compressai_backbone import CompressAIBackbone


class Attention(CompressAIBackbone):
    """Residual and attention blocks (cheng2020, arXiv 2001.01568) with the entropy model of mbt2018.

    As in CompressAI each latent has one Gaussian, where the paper mixes three. The default is the
    published size for high rates; at low rates 128 channels were published.

    Args:
        channels: N, of the transforms, of y and of z.
    """

    def __init__(self, channels: int = 192) -> None:
        inner = Cheng2020Attention(channels)
        super().__init__(inner.g_a, inner.g_s, causal_latent_codec(inner), channels, {"channels": channels})
