"""Four published codecs made of CompressAI's modules: hyperprior, autoregressive, attention, ELIC.

Training and evaluation run CompressAI's forward passes as they are. Files are written by walking the same
modules, see :mod:`glic_pyg.models.coding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compressai.latent_codecs import (
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from compressai.models import (
    Cheng2020Anchor,
    Cheng2020Attention,
    Elic2022Official,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from torch import Tensor, nn

from glic_pyg.models.base import Codec, EntropyCoder
from glic_pyg.models.checkerboard import CausalContext, SpatialContext
from glic_pyg.models.coding import code_latents
from glic_pyg.models.gain import Gain

__all__ = ["ELIC", "Attention", "Autoregressive", "CompressAICodec", "Hyperprior"]


class CompressAICodec(Codec):
    """Transforms and a hyperprior latent codec of CompressAI behind :class:`~glic_pyg.models.base.Codec`.

    Args:
        g_a, g_s: the transforms.
        latent_codec: the entropy model; its latents have stride 16, its side information stride 64.
        latent_channels: M, the channels of y.
        config: keyword arguments of the subclass.
        levels: λ of the quality levels of a variable-rate model, see :class:`~glic_pyg.models.gain.Gain`.

    Shapes: images ``(B, 3, H, W)`` in [0, 1], H and W multiples of 64; y ``(B, M, H/16, W/16)``.
    """

    def __init__(
        self,
        g_a: nn.Module,
        g_s: nn.Module,
        latent_codec: HyperpriorLatentCodec,
        latent_channels: int,
        config: dict[str, Any],
        levels: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.g_a = g_a
        self.g_s = g_s
        self.latent_codec = latent_codec
        self.latent_channels = latent_channels
        self.config = config
        if levels is not None:
            self.config = {**config, "levels": [*levels]}
            self.rates = Gain(levels, latent_channels)

    def code_latents(self, coder: EntropyCoder, y: Tensor | None = None, *, shape: tuple[int, int]) -> Tensor:
        """Send (``y`` given) or receive y through an entropy coder; see :func:`coding.code_latents`."""
        return code_latents(self.latent_codec, coder, y, shape)


class Hyperprior(CompressAICodec):
    """Scale hyperprior (bmshj2018, arXiv 1802.01436), or with means as well (arXiv 1809.02736, section 3.1).

    The defaults are the published size for high rates; at low rates 128 and 192 channels were published
    too. One size serves all six lambdas here, so that a rate-distortion curve is of one architecture.

    Args:
        channels: N, of the transforms and of z.
        latent_channels: M, of y.
        mean_scale: predict means too, and round y around them; else the means are zero.
        levels: see :class:`CompressAICodec`.
    """

    def __init__(
        self,
        channels: int = 192,
        latent_channels: int = 320,
        mean_scale: bool = False,
        levels: Sequence[float] | None = None,
    ) -> None:
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
            levels,
        )


class Magnitude(nn.Module):
    """Absolute values: the scale hyperprior's h_a looks at the spread of y, not at its sign."""

    def forward(self, y: Tensor) -> Tensor:
        return y.abs()


class Autoregressive(CompressAICodec):
    """Means and scales from side information and a causal 5x5 context (mbt2018, arXiv 1809.02736).

    The defaults are the published size for high rates; at low rates 192 latent channels were published.

    Its forward pass, which is CompressAI's, rounds y to integers, because rounding around means that
    depend on rounded neighbours has an order. Files round around the means, as CompressAI's do.

    Args:
        channels: N, of the transforms and of z.
        latent_channels: M, of y.
        levels: see :class:`CompressAICodec`.
    """

    def __init__(
        self, channels: int = 192, latent_channels: int = 320, levels: Sequence[float] | None = None
    ) -> None:
        inner = JointAutoregressiveHierarchicalPriors(channels, latent_channels)
        super().__init__(
            inner.g_a,
            inner.g_s,
            _causal_latent_codec(inner),
            latent_channels,
            {"channels": channels, "latent_channels": latent_channels},
            levels,
        )


class Attention(CompressAICodec):
    """Residual and attention blocks (cheng2020, arXiv 2001.01568) with the entropy model of mbt2018.

    As in CompressAI each latent has one Gaussian, where the paper mixes three. The default is the
    published size for high rates; at low rates 128 channels were published.

    Args:
        channels: N, of the transforms, of y and of z.
        attention: False leaves the attention blocks out, as the paper's anchor does.
        levels: see :class:`CompressAICodec`.
    """

    def __init__(
        self, channels: int = 192, attention: bool = True, levels: Sequence[float] | None = None
    ) -> None:
        inner = (Cheng2020Attention if attention else Cheng2020Anchor)(channels)
        super().__init__(
            inner.g_a,
            inner.g_s,
            _causal_latent_codec(inner),
            channels,
            {"channels": channels, "attention": attention},
            levels,
        )


class ELIC(CompressAICodec):
    """Uneven space-channel context (He et al. 2022, arXiv 2203.10886); the defaults are the paper's.

    Args:
        channels: N, of the transforms and of z.
        groups: channels of each group of y; their sum is M, the latent channels.
        levels: see :class:`CompressAICodec`.
    """

    def __init__(
        self,
        channels: int = 192,
        groups: Sequence[int] = (16, 16, 32, 64, 192),
        levels: Sequence[float] | None = None,
    ) -> None:
        inner = Elic2022Official(channels, sum(groups), groups)
        for size, codec in zip(groups, inner.latent_codec.y.latent_codec.values(), strict=True):
            codec.context_prediction = SpatialContext(size, 2 * size, kernel_size=5, padding=2)
        super().__init__(
            inner.g_a,
            inner.g_s,
            inner.latent_codec,
            sum(groups),
            {"channels": channels, "groups": list(groups)},
            levels,
        )


def _causal_latent_codec(model: JointAutoregressiveHierarchicalPriors) -> HyperpriorLatentCodec:
    """The entropy model of mbt2018 or of a codec built on it, with a context that keeps its weight."""
    context = CausalContext(model.M, 2 * model.M, kernel_size=5, padding=2)
    gaussians = RasterScanLatentCodec(model.gaussian_conditional, model.entropy_parameters, context)
    hyper = HyperLatentCodec(model.entropy_bottleneck, model.h_a, model.h_s)
    return HyperpriorLatentCodec({"y": gaussians, "hyper": hyper})
