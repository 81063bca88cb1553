"""The entropy model of MLIC++: hyperprior, then slice after slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from torch import Tensor, nn

from glic_pyg.models.base import EntropyCoder
from glic_pyg.models.float64_network import in_float64
from glic_pyg.models.mlicpp.checkerboard import weave
from glic_pyg.models.mlicpp.forward_channel import ForwardChannel
from glic_pyg.models.mlicpp.slice_codec import SliceCodec
from glic_pyg.models.mlicpp.transforms import hyper_analysis, hyper_synthesis

HYPER_STRIDE = 4


class LatentCodec(nn.Module):
    """Quantises y and tells how likely it was; or sends it through a channel. Both are one walk.

    Args:
        latent_channels: M, of y.
        hyper_channels: N, of z.
        slices: how many slices of equally many channels y is coded in.
        attributes: further arguments of :class:`SliceCodec`.

    Raises:
        ValueError: if the slices, or the heads within them, do not come out even.
    """

    def __init__(
        self, latent_channels: int, hyper_channels: int, slices: int, *, heads: int, **attributes: Any
    ) -> None:
        super().__init__()
        if latent_channels % (slices * heads):
            raise ValueError(
                f"{latent_channels} latent channels do not divide into {slices} slices of {heads} heads each"
            )
        self.slice_channels = latent_channels // slices
        self.h_a = hyper_analysis(latent_channels, hyper_channels)
        self.h_s = hyper_synthesis(hyper_channels, latent_channels)
        self.entropy_bottleneck = EntropyBottleneck(hyper_channels)
        self.gaussian_conditional = GaussianConditional(None)
        self.slices = nn.ModuleList(
            SliceCodec(i, self.slice_channels, latent_channels, heads=heads, **attributes)
            for i in range(slices)
        )

    def forward(self, y: Tensor) -> dict[str, Any]:
        """``(B, M, h, w)`` -> ``{"y_hat": (B, M, h, w), "likelihoods": {"y", "z"}}``, shapes of y and z."""
        channel = ForwardChannel(self.gaussian_conditional)
        y_hat = self._walk(channel, y, (y.shape[-2], y.shape[-1]), _as_it_is)
        z, *halves = channel.likelihoods
        anchors, others = torch.cat(halves[0::2], 1), torch.cat(halves[1::2], 1)
        return {"y_hat": y_hat, "likelihoods": {"y": weave(others, anchors), "z": z}}

    @torch.no_grad()
    def code(self, channel: EntropyCoder, y: Tensor | None, shape: tuple[int, int]) -> Tensor:
        """Send ``(1, M, h, w)`` latents of ``shape`` (h, w), or receive them; y_hat in float64."""
        return self._walk(channel, y, shape, in_float64)

    def _walk(
        self,
        channel: EntropyCoder,
        y: Tensor | None,
        shape: tuple[int, int],
        run: Callable[..., Tensor],
    ) -> Tensor:
        """Hyperprior and slices; ``run`` calls the networks that encoder and decoder must agree on."""
        z = None if y is None else self.h_a(y)
        z_shape = (1, self.entropy_bottleneck.channels, shape[0] // HYPER_STRIDE, shape[1] // HYPER_STRIDE)
        side = run(self.h_s, channel.factorized(self.entropy_bottleneck, z_shape, z))
        decoded = side[:, :0]
        values: Sequence[Tensor | None] = [None] * len(self.slices)
        if y is not None:
            values = y.split(self.slice_channels, 1)
        for codec, value in zip(self.slices, values, strict=True):
            decoded = torch.cat([decoded, run(codec, channel, side, decoded, value)], 1)
        return decoded


def _as_it_is(module: nn.Module, *inputs: Any) -> Tensor:
    return module(*inputs)
