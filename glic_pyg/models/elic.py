"""ELIC: bottleneck blocks and attention, uneven channel groups with a checkerboard in each."""

from __future__ import annotations

from collections.abc import Sequence

from compressai.models import Elic2022Official

from glic_pyg.models.compressai_backbone import CompressAIBackbone
from glic_pyg.models.masked_context import SpatialContext


class ELIC(CompressAIBackbone):
    """Uneven space-channel context (He et al. 2022, arXiv 2203.10886); the defaults are the paper's.

    Args:
        channels: N, of the transforms and of z.
        groups: channels of each group of y; their sum is M, the latent channels.
    """

    def __init__(self, channels: int = 192, groups: Sequence[int] = (16, 16, 32, 64, 192)) -> None:
        inner = Elic2022Official(channels, sum(groups), groups)
        for size, codec in zip(groups, inner.latent_codec.y.latent_codec.values(), strict=True):
            codec.context_prediction = SpatialContext(size, 2 * size, kernel_size=5, padding=2)
        super().__init__(
            inner.g_a,
            inner.g_s,
            inner.latent_codec,
            sum(groups),
            {"channels": channels, "groups": list(groups)},
        )
