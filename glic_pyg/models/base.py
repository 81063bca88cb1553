"""The base class of every codec model, and the entropy coder that its walk over the latents talks to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor, nn

from glic_pyg.models.gain import BEST_QUALITY, Gain
from glic_pyg.numerics import at_least_float32

if TYPE_CHECKING:
    from compressai.models import CompressionModel

__all__ = [
    "LATENT_STRIDE",
    "SIDE_STRIDE",
    "Codec",
    "EntropyCoder",
    "Finish",
    "ImageRows",
    "StockCodec",
    "as_codec",
]

LATENT_STRIDE = 16
"""Pixels of x per step of y along each axis, for every model that writes files."""

SIDE_STRIDE = 64
"""Pixels of x per step of z along each axis, for every model that writes files."""


Finish: TypeAlias = Callable[[Tensor], Tensor]
"""What is made of some rows of x_hat, ``(B, 3, h, W)``: as many rows ``(B, C, h, W)`` of any dtype."""


class ImageRows(Protocol):
    """Images whose rows become tensors when they are needed, so that x is never whole.

    Attributes:
        shape: of x, ``(B, 3, H, W)``.
    """

    @property
    def shape(self) -> tuple[int, int, int, int]: ...

    def rows(self, first: int, last: int) -> Tensor:
        """The rows ``first`` to ``last``, ``(B, 3, last - first, W)`` float32 in [0, 1]."""
        ...


class Codec(nn.Module):
    """Base class of learned image codecs: what files, training and evaluation ask of a model.

    To be trained, a subclass needs :meth:`forward` alone, and ``multiple`` if its strides are others. To
    write ``.glic`` files it also needs ``latent_channels``, the transforms ``g_a`` (images to y) and ``g_s``
    (y_hat to images, not clamped), ``latent_codec`` (y to y_hat and likelihoods) and :meth:`code_latents`.

    Parameters whose names end in ``quantiles`` are those of CompressAI's EntropyBottleneck: :meth:`aux_loss`
    alone trains them, rate and distortion all others.

    Attributes:
        multiple: height and width of x must be multiples of this many pixels in :meth:`forward`; in files of
            format versions 1 and 2 images are padded to it. The parts that files are made with, g_a,
            :meth:`code_latents` and :meth:`synthesise`, take any multiple of 16.
        latent_channels: M, the channels of y.
        config: keyword arguments that the model was constructed with, JSON-serialisable.
        rates: gains of a variable-rate model, whose :meth:`forward` takes qualities; None for a single rate.
    """

    multiple: int = SIDE_STRIDE
    latent_channels: int
    config: dict[str, Any]
    rates: Gain | None
    g_a: Any
    g_s: Any
    latent_codec: Any

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.rates = None

    def forward(self, x: Tensor, quality: float | Tensor | None = None) -> dict[str, Any]:
        """Code in expectation: ``{"x_hat": (B, 3, H, W), "likelihoods": {name: tensor}}``, x_hat not clamped.

        Args:
            x: ``(B, 3, H, W)`` in [0, 1].
            quality: of a variable-rate model, 0 to 100, one for all images or one for each, ``(B,)``.
        """
        latents = self.latents(x, quality)
        return {"x_hat": self.g_s(latents["y_hat"]), "likelihoods": latents["likelihoods"]}

    def latents(self, x: Tensor, quality: float | Tensor | None = None) -> dict[str, Any]:
        """:meth:`forward` without g_s: ``{"y_hat": (B, M, H/16, W/16), "likelihoods": {name: tensor}}``.

        What the latents cost is known then; y_hat is in the scale that g_s reads. A variable-rate model
        that is given no quality codes at 50.
        """
        y = at_least_float32(self.g_a(x))
        if self.rates is None:
            latents: dict[str, Any] = self.latent_codec(y)
            return latents
        quality = BEST_QUALITY / 2 if quality is None else quality
        latents = self.latent_codec(self.rates.scale(y, quality))
        return {**latents, "y_hat": self.rates.unscale(latents["y_hat"], quality)}

    def analyse(self, x: ImageRows) -> Tensor:
        """Run g_a on images: y, ``(B, M, H/16, W/16)``."""
        y: Tensor = self.g_a(x.rows(0, x.shape[2]))
        return y

    def synthesise(self, y_hat: Tensor, size: tuple[int, int], finish: Finish | None = None) -> Tensor:
        """Run g_s on latents ``(B, M, h, w)`` of images of ``size`` (H, W), 16 (h - 1) < H <= 16 h.

        Args:
            y_hat, size: these.
            finish: is applied to what would be returned, of large images to some rows at a time.

        Returns:
            ``(B, 3, H, W)``, not clamped; or what ``finish`` makes of it.
        """
        x_hat: Tensor = self.g_s(y_hat)[:, :, : size[0], : size[1]]
        return x_hat if finish is None else finish(x_hat)

    def code_latents(self, coder: EntropyCoder, y: Tensor | None = None, *, shape: tuple[int, int]) -> Tensor:
        """Walk the entropy model once, and send or fetch every symbol through ``coder``.

        Networks run in the precision of what the coder returns: float64 for files, float32 with gradients
        for those that only look at the rate.

        Args:
            coder: an encoder when ``y`` is given, a decoder otherwise.
            y: ``(1, M, h, w)`` float32, or None to decode.
            shape: ``(h, w)`` of y, any.

        Returns:
            y_hat, ``(1, M, h, w)``, of files float64, every value exactly representable in float32.
        """
        name = type(self).__name__
        raise NotImplementedError(f"{name} has no code_latents: it can be trained, but writes no files")

    def ortho_loss(self) -> Tensor:
        """Orthogonality loss of the Haar branches, a scalar; 0 for models without any."""
        return next(self.parameters()).new_zeros(())

    def aux_loss(self) -> Tensor:
        """How far the quantiles of all entropy bottlenecks are from their tails, a scalar."""
        losses = [module.loss() for module in self.modules() if isinstance(module, EntropyBottleneck)]
        return torch.stack(losses).sum() if losses else next(self.parameters()).new_zeros(())


class EntropyCoder(Protocol):
    """Carries integer symbols between the two walks of an entropy model, see :meth:`Codec.code_latents`.

    In files every tensor that comes back is float64 on the device of the arguments, and is the same, bit for
    bit, in the encoder and in the decoder. What only looks at the rate (training, a search) may return
    float32.
    """

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """Code the side latents z under a learned factorized prior.

        Args:
            bottleneck: the prior of z, one density per channel.
            shape: shape of z, ``(1, C, h, w)``.
            values: z itself, any float dtype, shape ``shape``; None in a decoder.

        Returns:
            z_hat = round(z - median) + median, float64, shape ``shape``.
        """
        ...

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """Code latents under independent Gaussians integrated over unit bins.

        The means are snapped to a lattice and the scales to a table first, so that both sides use exactly
        the same integers: y_hat = snap(mean) + round(y - snap(mean)).

        Args:
            means: float64, any shape.
            scales: float64 standard deviations, the shape of ``means``; below the table's least they count
                as its least.
            values: y, any float dtype, the shape of ``means``; None in a decoder.

        Returns:
            y_hat, float64, the shape of ``means``, every value exactly representable in float32.
        """
        ...

    def lattice(self, values: Tensor) -> Tensor:
        """Round what the entropy model computed to the lattice of y_hat, alike on both sides; costs no bits.

        For models that correct y_hat after decoding it (latent residual prediction): what g_s and the later
        contexts read must be the same on both sides.

        Args:
            values: float64, any shape, finite.

        Returns:
            The nearest multiples of 1/256, float64, exactly representable in float32.
        """
        ...


class StockCodec(Codec):
    """One of CompressAI's models as it is, to be trained; it writes no ``.glic`` files.

    Args:
        model: any CompressionModel whose forward pass returns ``x_hat`` and ``likelihoods``.
    """

    def __init__(self, model: CompressionModel) -> None:
        super().__init__()
        self.model = model
        self.multiple = getattr(model, "downsampling_factor", SIDE_STRIDE)

    def forward(self, x: Tensor, quality: float | Tensor | None = None) -> dict[str, Any]:
        return self.model(x)


def as_codec(model: nn.Module) -> Codec:
    """The model itself if it is a :class:`Codec`, otherwise a :class:`StockCodec` around it."""
    return model if isinstance(model, Codec) else StockCodec(model)
