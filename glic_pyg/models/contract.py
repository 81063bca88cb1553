"""What a backbone promises to the codec, and what the codec promises to a backbone.

The entropy model of a backbone is walked once, by the same code, on both sides of a file
(:meth:`Backbone.code_latents`). What differs between the sides is the *channel* it talks to: the
encoder's channel writes symbols, the decoder's channel reads them. Neither knows the other's insides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from compressai.entropy_models import EntropyBottleneck
    from torch import Tensor

__all__ = ["LATENT_STRIDE", "SIDE_STRIDE", "Backbone", "SymbolChannel"]

LATENT_STRIDE = 16
"""Pixels of x a step of y, along each axis, for every backbone."""

SIDE_STRIDE = 64
"""Pixels of x a step of z, along each axis, for every backbone."""


@runtime_checkable
class SymbolChannel(Protocol):
    """Carries integer symbols between the two walks of an entropy model.

    Every tensor that comes back is float64 on the device of the arguments, and is the same, bit for bit,
    on the encoder's and on the decoder's side.
    """

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """Code the side latents z under a learned factorized prior.

        Args:
            bottleneck: the prior of z, one density a channel.
            shape: shape of z, (1, C, h, w).
            values: z itself, any float dtype, shape ``shape``; ``None`` on the decoder's side.

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
            values: y, any float dtype, the shape of ``means``; ``None`` on the decoder's side.

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


@runtime_checkable
class Backbone(Protocol):
    """What the codec, the training loop and the evaluation ask of a model.

    Parameters whose names end in ``.quantiles`` belong to entropy bottlenecks and are trained by
    :meth:`aux_loss` alone; every other one is trained by the rate and the distortion.
    """

    multiple: int
    """Height and width of x must be multiples of this many pixels."""

    latent_channels: int
    """M, the channels of y."""

    config: dict[str, Any]
    """The keyword arguments the model was constructed with."""

    def g_a(self, x: Tensor) -> Tensor:
        """Analysis: x (B, 3, H, W) in [0, 1] to y (B, M, h, w)."""
        ...

    def g_s(self, y_hat: Tensor) -> Tensor:
        """Synthesis: y_hat (B, M, h, w) to x_hat (B, 3, H, W), not clamped."""
        ...

    def latent_codec(self, y: Tensor) -> dict[str, Any]:
        """Quantise y and estimate its likelihoods: {"y_hat", "likelihoods": {"y", "z"}}."""
        ...

    def forward(self, x: Tensor) -> dict[str, Any]:
        """The whole model without bytes: {"x_hat", "likelihoods": {"y", "z"}}."""
        ...

    def ortho_loss(self) -> Tensor:
        """Orthogonality penalty of the wavelet branch's linear maps, a scalar; 0 for models without one."""
        ...

    def aux_loss(self) -> Tensor:
        """The loss that trains the quantiles of the entropy bottleneck, a scalar."""
        ...

    def code_latents(
        self, channel: SymbolChannel, y: Tensor | None = None, *, shape: tuple[int, int]
    ) -> Tensor:
        """Walk the entropy model once, in float64, and send or fetch every symbol through ``channel``.

        Args:
            channel: the encoder's channel when ``y`` is given, the decoder's otherwise.
            y: (1, M, h, w) float32, or ``None`` to decode.
            shape: (h, w) of y.

        Returns:
            y_hat, (1, M, h, w) float64, every value exactly representable in float32.
        """
        ...
