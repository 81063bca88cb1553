"""The model at work: pixels to latents, latents to a stream, and both ways back."""

from __future__ import annotations

import contextlib
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.codec.coders import EntropyDecoder, EntropyEncoder, PriorTables
from glic_pyg.codec.determinism import full_precision_inference, usable_device
from glic_pyg.codec.padding import colour_from_tensor, padded_size, tensor_from_colour
from glic_pyg.errors import BadArgument, LatentMismatch, NonFiniteLatents
from glic_pyg.models.base import LATENT_STRIDE, Codec
from glic_pyg.nn.precision import bfloat16_products

__all__ = ["LatentCoder", "Precision"]

Precision = Literal["float32", "bf16"]

_CODED_PER_LATENT = 2
"""Values that are rounded for one latent at most: the latent itself, and its correction (MLIC++)."""


class LatentCoder:
    """Runs a backbone in the arithmetic of the format.

    A quality is a number from 0 to 100 for models with :class:`~glic_pyg.models.gain.Gain`, ``None`` for
    the others. The entropy model works on scaled latents and does not know it, so one y serves all qualities.

    Args:
        model: the backbone, with trained weights; it is moved to ``device`` and set to eval mode.
        device: where to compute.
        precision: ``"bf16"`` takes products in g_a and g_s, never in the entropy model, in bfloat16.

    Raises:
        BadArgument: there is no such device or precision.
    """

    def __init__(self, model: Codec, device: str | torch.device, precision: Precision) -> None:
        if precision not in get_args(Precision):
            raise BadArgument(f"A precision is 'float32' or 'bf16', not {precision!r}.")
        self.device = usable_device(device)
        self.model = model.to(self.device).eval() if isinstance(model, torch.nn.Module) else model
        self.precision = precision
        self.rates = model.rates
        self._priors = PriorTables()

    def analyse(self, colour: NDArray[np.uint8]) -> Tensor:
        """g_a of uint8 (H, W, 3) or (H, W): y, float32 (1, M, h, w).

        Raises:
            NonFiniteLatents: the model computes an infinity or a NaN.
        """
        with full_precision_inference(self.device), self._transform_precision():
            y = self.model.g_a(tensor_from_colour(colour, self.model.multiple, self.device)).float()
        if not y.isfinite().all():
            raise NonFiniteLatents("The model computed latents that are not finite for this picture.")
        return y

    def encode(self, y: Tensor, quality: float | None, *, estimate: bool) -> tuple[EntropyEncoder, Tensor]:
        """Encode y at a quality: the coder with its symbols, and y_hat, still scaled, float64 (1, M, h, w).

        Raises:
            ValueError: no quality for a model that needs one, or the other way round.
        """
        if (quality is None) != (self.rates is None):
            raise ValueError(
                f"quality {quality} for weights of {'one' if self.rates is None else 'any'} rate"
            )
        coder = EntropyEncoder(self._priors, estimate=estimate)
        with full_precision_inference(self.device):
            if self.rates is not None and quality is not None:
                y = self.rates.scale(y, quality)
            y_hat = self.model.code_latents(coder, y, shape=(y.shape[-2], y.shape[-1]))
        return coder, y_hat

    def decode(self, stream: bytes, width: int, height: int, crc: int) -> Tensor:
        """Decode a latents stream to y_hat, still scaled, float64 (1, M, h, w).

        Args:
            stream: the bytes of the coder that :meth:`encode` returned.
            width, height: of the picture, in pixels.
            crc: the checksum of the encoder.

        Raises:
            LatentMismatch: the checksum is another.
            GlicFileError: the stream is damaged.
        """
        wide, high = padded_size(width, height, self.model.multiple)
        shape = (high // LATENT_STRIDE, wide // LATENT_STRIDE)
        values = _CODED_PER_LATENT * self.model.latent_channels * shape[0] * shape[1]
        coder = EntropyDecoder(self._priors, stream, values)
        with full_precision_inference(self.device):
            y_hat = self.model.code_latents(coder, None, shape=shape)
        coder.finish()
        if coder.crc != crc:
            raise LatentMismatch(
                "The decoded latents are not the encoder's (their checksum differs), so no picture was made; "
                "please report this with the output of `glic doctor` from both machines."
            )
        return y_hat

    def synthesise(
        self, y_hat: Tensor, quality: float | None, width: int, height: int, *, grey: bool
    ) -> NDArray[np.uint8]:
        """The picture of scaled latents: uint8 (height, width, 3), or (height, width) if grey."""
        with full_precision_inference(self.device):
            y_hat = y_hat.float()
            if self.rates is not None and quality is not None:
                y_hat = self.rates.unscale(y_hat, quality)
            with self._transform_precision():
                x_hat = self.model.g_s(y_hat)
            return colour_from_tensor(x_hat, width, height, grey=grey)

    def _transform_precision(self) -> contextlib.AbstractContextManager[object]:
        return bfloat16_products(self.device.type) if self.precision == "bf16" else contextlib.nullcontext()
