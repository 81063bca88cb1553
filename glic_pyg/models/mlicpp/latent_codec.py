"""The entropy model of MLIC++: hyperprior, then slice after slice, each in two halves of a checkerboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from torch import Tensor, nn

from glic_pyg.models.base import EntropyCoder
from glic_pyg.models.checkerboard import ANCHORS, OTHERS, half_of, only, weave
from glic_pyg.models.coding import Places, RateEstimator, even_sided, run, side_information, side_shape
from glic_pyg.models.mlicpp.attention import InterSliceAttention, IntraSliceAttention, LocalAttention
from glic_pyg.models.mlicpp.transforms import conv_stack, hyper_analysis, hyper_synthesis


class LatentCodec(nn.Module):
    """Quantises y and tells how likely it was; or sends it through an entropy coder. Both are one walk.

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
        coder = RateEstimator(self.gaussian_conditional)
        y_hat = self.code(coder, y, (y.shape[-2], y.shape[-1]))
        z, *halves = coder.likelihoods
        anchors, others = torch.cat(halves[0::2], 1), torch.cat(halves[1::2], 1)
        return {"y_hat": y_hat, "likelihoods": {"y": weave(others, anchors), "z": z}}

    def code(self, coder: EntropyCoder, y: Tensor | None, shape: tuple[int, int]) -> Tensor:
        """Send ``(B, M, h, w)`` latents of ``shape`` (h, w), or receive them; y_hat in the coder's dtype."""
        rows, columns = side_shape(shape)
        z = None if y is None else self.h_a(y)[:, :, :rows, :columns]
        z_hat = coder.factorized(
            self.entropy_bottleneck, (1, self.entropy_bottleneck.channels, rows, columns), z
        )
        side = even_sided(side_information(self.h_s, z_hat, shape))
        there = even_sided(torch.ones(1, 1, *shape, device=side.device))[0, 0] > 0
        places = Places(half_of(there, OTHERS)), Places(half_of(there, ANCHORS))
        decoded = side[:, :0]
        values: Sequence[Tensor | None] = [None] * len(self.slices)
        if y is not None:
            values = even_sided(y).split(self.slice_channels, 1)
        for codec, value in zip(self.slices, values, strict=True):
            decoded = torch.cat([decoded, run(codec, coder, side, decoded, value, places)], 1)
        return decoded[:, :, : shape[0], : shape[1]]


REACH = 0.5  # what latent residual prediction may add, at most


class SliceCodec(nn.Module):
    r"""One slice of y under the multi-reference entropy model (MLIC++).

    The anchors are coded given the hyperprior and all slices before, the other sites given the anchors too.
    After each half, latent residual prediction corrects what rounding did:

    .. math:: \hat y \leftarrow \hat y + \tfrac12 \tanh(\mathrm{LRP}(\mu_h, \hat y_{<i}, \hat y)).

    What concerns both halves is computed once, and the parameters of a half at its own sites alone.

    Args:
        index: i, how many slices come before.
        channels: C, of a slice.
        latent_channels: M, of y.
        heads, window: of the attention among the anchors.
        channel_widths: inner widths of the channel context.
        parameter_widths: inner widths of the entropy parameters.
        residual_widths: inner widths of latent residual prediction; ``None`` lets three widths fall in equal
            steps from the input's to C, as in the weights of September 2023.
    """

    def __init__(
        self,
        index: int,
        channels: int,
        latent_channels: int,
        *,
        heads: int,
        window: int,
        channel_widths: Sequence[int],
        parameter_widths: Sequence[int],
        residual_widths: Sequence[int] | None,
    ) -> None:
        super().__init__()
        self.index, self.channels = index, channels
        before, both = index * channels, 2 * channels
        given = 2 * latent_channels
        self.local = LocalAttention(channels, heads, window)
        if index > 0:
            self.channel = conv_stack([before, *channel_widths, 2 * both], 3)
            self.inter = InterSliceAttention(channels, index)
            self.intra = IntraSliceAttention(channels, heads)
            given += 3 * both
        near = both if index == 0 else 2 * both
        self.anchor_parameters = conv_stack([given, *parameter_widths, both], 1)
        self.other_parameters = conv_stack([near + given, *parameter_widths, both], 1)
        seen = latent_channels + before + channels
        inner = _falling(seen, channels) if residual_widths is None else residual_widths
        self.anchor_residual = conv_stack([seen, *inner, channels], 3)
        self.other_residual = conv_stack([seen, *inner, channels], 3)

    def forward(
        self,
        coder: EntropyCoder,
        side: Tensor,
        decoded: Tensor,
        values: Tensor | None,
        places: tuple[Places, Places],
    ) -> Tensor:
        """Send or receive the slice.

        Args:
            coder: writes symbols (``values`` given), reads them, or only quantises.
            side: ``(B, 2M, h, w)``, the output of h_s; its second half are the means.
            decoded: ``(B, i * C, h, w)``, the slices before.
            values: ``(B, C, h, w)``, the slice of y, or None to decode.
            places: that are coded, of the others and of the anchors.

        Returns:
            y_hat of the slice, ``(B, C, h, w)``.
        """
        given = self._given(side, decoded)
        seen = torch.cat([side[:, side.shape[1] // 2 :], decoded], 1)

        own = None if values is None else half_of(values, ANCHORS)
        anchors = places[ANCHORS].code(coder, self.anchor_parameters, half_of(given, ANCHORS), own)
        map_of_anchors = only(anchors, ANCHORS)
        residual = _residual(self.anchor_residual, seen, map_of_anchors, ANCHORS)
        anchors = coder.lattice(anchors + residual)

        map_of_anchors = only(anchors, ANCHORS)
        near = self._near(decoded, map_of_anchors)
        parameters = torch.cat([near, half_of(given, OTHERS)], 1)
        own = None if values is None else half_of(values, OTHERS)
        others = places[OTHERS].code(coder, self.other_parameters, parameters, own)
        residual = _residual(self.other_residual, seen, weave(others, anchors), OTHERS)
        return weave(coder.lattice(others + residual), anchors)

    def _given(self, side: Tensor, decoded: Tensor) -> Tensor:
        """What is known of all sites beforehand: inter-slice and channel context, and the hyperprior."""
        if self.index == 0:
            return side
        return torch.cat([self.inter(decoded), self.channel(decoded), side], 1)

    def _near(self, decoded: Tensor, anchors: Tensor) -> Tensor:
        """What the anchors tell the other sites, half a map: local and intra-slice context."""
        local = self.local(anchors)
        if self.index == 0:
            return local
        intra = self.intra(decoded[:, -self.channels :], anchors)
        return torch.cat([local, half_of(intra, OTHERS)], 1)


def _residual(network: nn.Module, seen: Tensor, current: Tensor, parity: int) -> Tensor:
    """Latent residual prediction for the sites of one parity, half a map."""
    return REACH * torch.tanh(half_of(network(torch.cat([seen, current], 1)), parity))


def _falling(first: int, last: int) -> list[int]:
    """Three widths between two others."""
    return [first - (first - last) * quarters // 4 for quarters in (1, 2, 3)]
