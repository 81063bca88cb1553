"""MLIC++ as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from glic_pyg.models.base import Codec, EntropyCoder
from glic_pyg.models.gain import Gain
from glic_pyg.models.mlicpp.latent_codec import LatentCodec
from glic_pyg.models.mlicpp.transforms import analysis, synthesis


class MLICpp(Codec):
    """Codec with a multi-reference entropy model (arXiv 2307.15421); defaults are the released model.

    Sizes differ in these numbers only; ``conf/model`` has ``mlicpp`` and ``mlicpp_s``.

    Args:
        width: N, channels of g_a, g_s, h_a and z.
        latent_channels: M, channels of y; a multiple of ``slices * heads``.
        slices: of equally many channels, coded one after the other.
        heads, window: of the attention among the anchors of a slice, locally (window) and globally (intra).
        channel_widths, parameter_widths: inner widths of the channel context and the entropy parameters.
        residual_widths: inner widths of latent residual prediction.
        synthesis_width: channels of the first block of g_s, ``None`` for M.
        levels: λ of the quality levels of a variable-rate model, see :class:`~glic_pyg.models.gain.Gain`.

    The weights published in September 2023 have ``residual_widths=None`` (three widths falling from the
    input's to the slice's) and ``synthesis_width=192``.

    Shapes: images ``(B, 3, H, W)`` in [0, 1], H and W multiples of 64; y ``(B, M, H/16, W/16)``.
    """

    def __init__(
        self,
        width: int = 192,
        latent_channels: int = 320,
        slices: int = 10,
        heads: int = 2,
        window: int = 5,
        channel_widths: Sequence[int] = (192, 128),
        parameter_widths: Sequence[int] = (320, 256, 128),
        residual_widths: Sequence[int] | None = (224, 128),
        synthesis_width: int | None = None,
        levels: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            name: list(value) if isinstance(value, Sequence) else value
            for name, value in locals().items()
            if name not in ("self", "__class__") and not (name == "levels" and value is None)
        }
        self.rates = None if levels is None else Gain(levels, latent_channels)
        self.latent_channels = latent_channels
        self.g_a = analysis(width, latent_channels)
        self.g_s = synthesis(latent_channels, synthesis_width or latent_channels, width)
        self.latent_codec = LatentCodec(
            latent_channels,
            width,
            slices,
            heads=heads,
            window=window,
            channel_widths=channel_widths,
            parameter_widths=parameter_widths,
            residual_widths=residual_widths,
        )

    def code_latents(self, coder: EntropyCoder, y: Tensor | None = None, *, shape: tuple[int, int]) -> Tensor:
        """Send (``y`` given) or receive y through an entropy coder; y_hat, ``(1, M, h, w)`` float64."""
        return self.latent_codec.code(coder, y, shape)
