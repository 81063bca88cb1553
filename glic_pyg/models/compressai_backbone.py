"""What the backbones made of CompressAI's modules have in common."""

from __future__ import annotations

from typing import Any

from compressai.latent_codecs import HyperpriorLatentCodec
from torch import Tensor, nn

from glic_pyg.models.contract import SIDE_STRIDE, SymbolChannel
from glic_pyg.models.latent_walk import code_latents
from glic_pyg.models.precision import at_least_float32


class CompressAIBackbone(nn.Module):
    """Transforms and a hyperprior latent codec behind :class:`~glic_pyg.models.contract.Backbone`.

    Training and evaluation run CompressAI's forward passes as they are. Files are written by
    :mod:`~glic_pyg.models.latent_walk`, from the same modules.

    Args:
        g_a, g_s: the transforms.
        latent_codec: the entropy model; its latents have stride 16, its side information stride 64.
        latent_channels: M, the channels of y.
        config: keyword arguments of the class that is made of them.

    Shapes: images ``(B, 3, H, W)`` in [0, 1], H and W multiples of 64; y ``(B, M, H/16, W/16)``.
    """

    multiple = SIDE_STRIDE

    def __init__(
        self,
        g_a: nn.Module,
        g_s: nn.Module,
        latent_codec: HyperpriorLatentCodec,
        latent_channels: int,
        config: dict[str, Any],
    ) -> None:
        super().__init__()
        self.g_a = g_a
        self.g_s = g_s
        self.latent_codec = latent_codec
        self.latent_channels = latent_channels
        self.config = config

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Code in expectation: ``{"x_hat": (B, 3, H, W), "likelihoods": {"y", "z"}}``, x_hat not clamped."""
        latents = self.latent_codec(at_least_float32(self.g_a(x)))
        return {"x_hat": self.g_s(latents["y_hat"]), "likelihoods": latents["likelihoods"]}

    def code_latents(
        self, channel: SymbolChannel, y: Tensor | None = None, *, shape: tuple[int, int]
    ) -> Tensor:
        """Send (``y`` given) or receive y through a channel; see :func:`latent_walk.code_latents`."""
        return code_latents(self.latent_codec, channel, y, shape)

    def ortho_loss(self) -> Tensor:
        """Zero: there is no wavelet branch."""
        return self.latent_codec.hyper.entropy_bottleneck.quantiles.new_zeros(())

    def aux_loss(self) -> Tensor:
        """How far the quantiles of the EntropyBottleneck are from its tails, a scalar."""
        return self.latent_codec.hyper.entropy_bottleneck.loss()
