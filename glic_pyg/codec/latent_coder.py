"""Runs a model on images: pixels to latents, latents to a stream, and back; and the memory that this takes.

The estimates of memory come from measuring, with ``added_memory`` of glic_pyg.evaluation, images of 0.8 to 3
megapixels, all architectures, one CPU: the peak that encoding or decoding adds to a process that has loaded
the model. Nearly all of it are maps of the first stage of g_a or the last of g_s, at half the resolution; the
rest is the image and, in float64, its latents. GLIC runs these stages in bands of about a megapixel; what
larger images need are maps and graphs at a quarter of the resolution. The estimates are 50 to 100 % of what
was measured: what they refuse does not fit.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glic_pyg.codec.coders import EntropyDecoder, EntropyEncoder, PriorTables
from glic_pyg.codec.determinism import full_precision_inference, usable_device
from glic_pyg.codec.pixels import ExtendedImage, colour_of, levels_of, padded_size
from glic_pyg.errors import BadArgument, LatentMismatch, NonFiniteLatents
from glic_pyg.memory import check_memory
from glic_pyg.models.base import LATENT_STRIDE, Codec
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GFABlock
from glic_pyg.nn.precision import bfloat16_products
from glic_pyg.nn.tiling import BAND_NODES
from glic_pyg.progress import phase
from glic_pyg.runtime import give_back

__all__ = [
    "LatentCoder",
    "Latents",
    "Precision",
    "check_coding_memory",
    "coding_memory",
]

Precision = Literal["float32", "bf16"]

_CODED_PER_LATENT = 2
"""Upper bound on rounded values per latent: the latent itself, and its correction (MLIC++)."""

_CODING = "entropy coding"

_BYTES_PER_PIXEL = 75
_MAPS_ENCODING, _MAPS_DECODING = 2.6, 3.7
"""Float32 maps of the first stage that are alive at once; one is a byte per pixel and channel."""
_IMAGE_BYTES, _GRAPH_BYTES = 3, 32
_MAPS_WITH_GRAPHS, _MAPS_WITHOUT_GRAPHS = 5.5, 3
"""The same at a quarter of the resolution, where large images need most: GLIC's first stage runs in bands."""


@dataclass(frozen=True)
class Latents:
    """What an encoder codes.

    Attributes:
        y: (1, M, h, w) float32, in the scale of the entropy model.
        z: (1, C, h', w') float32; ``None`` for what the model computes from y.
    """

    y: Tensor
    z: Tensor | None = None


class LatentCoder:
    """Runs a model as the file format wants it: transforms in float32, the entropy model in float64.

    A quality is a number from 0 to 100 for models with :class:`~glic_pyg.models.gain.Gain`, ``None`` for
    the others. The entropy model works on scaled latents, so one y serves all qualities.

    Args:
        model: the codec, with trained weights; it is moved to ``device`` and set to eval mode.
        device: where to compute.
        precision: ``"bf16"`` takes products in g_a and g_s, never in the entropy model, in bfloat16.

    Raises:
        BadArgument: torch cannot use the device, or the precision is unknown.
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
        """Run g_a on uint8 (H, W, 3) or (H, W): y, float32 (1, M, h, w).

        Raises:
            NonFiniteLatents: the model computes an infinity or a NaN.
        """
        with phase("analysis"), full_precision_inference(self.device), self._transform_precision():
            y = self.model.analyse(ExtendedImage(colour, LATENT_STRIDE, self.device)).float()
        if not y.isfinite().all():
            raise NonFiniteLatents("The model computed latents that are not finite for this image.")
        return y

    def encode(self, y: Tensor, quality: float | None, *, estimate: bool) -> tuple[EntropyEncoder, Tensor]:
        """Encode y at a quality: the coder with its symbols, and y_hat, still scaled, float64 (1, M, h, w).

        Raises:
            ValueError: no quality for a model that needs one, or the other way round.
        """
        return self.encode_scaled(Latents(self.scale(y, quality)), estimate=estimate)

    def scale(self, y: Tensor, quality: float | None) -> Tensor:
        """Return y in the scale of the entropy model at a quality; errors as for :meth:`encode`."""
        if (quality is None) != (self.rates is None):
            raise ValueError(
                f"quality {quality} for weights of {'one' if self.rates is None else 'any'} rate"
            )
        with full_precision_inference(self.device):
            return y if self.rates is None or quality is None else self.rates.scale(y, quality)

    def unscale(self, y_hat: Tensor, quality: float | None) -> Tensor:
        """Return y_hat in the scale of g_s."""
        return y_hat if self.rates is None or quality is None else self.rates.unscale(y_hat, quality)

    def encode_scaled(self, latents: Latents, *, estimate: bool) -> tuple[EntropyEncoder, Tensor]:
        """As :meth:`encode`, of latents that are scaled already."""
        coder, y = EntropyEncoder(self._priors, estimate=estimate, z=latents.z), latents.y
        with phase(_CODING), full_precision_inference(self.device):
            return coder, self.model.code_latents(coder, y, shape=(y.shape[-2], y.shape[-1]))

    def decode(self, stream: bytes, width: int, height: int, crc: int) -> Tensor:
        """Decode a latents stream to y_hat, still scaled, float64 (1, M, h, w).

        Args:
            stream: the bytes of the coder that :meth:`encode` returned.
            width, height: of what was analysed, in pixels.
            crc: the checksum of the encoder.

        Raises:
            LatentMismatch: the checksum is another.
            GlicFileError: the stream is damaged.
        """
        shape = (-(-height // LATENT_STRIDE), -(-width // LATENT_STRIDE))
        values = _CODED_PER_LATENT * self.model.latent_channels * (shape[0] + 1) * (shape[1] + 1)
        coder = EntropyDecoder(self._priors, stream, values)
        with phase(_CODING), full_precision_inference(self.device):
            y_hat = self.model.code_latents(coder, None, shape=shape)
        coder.finish()
        if y_hat.shape[2:].numel() * LATENT_STRIDE > BAND_NODES:
            give_back()  # what the entropy model has left free, before the large maps of g_s
        if coder.crc != crc:
            raise LatentMismatch(
                "The decoded latents are not the encoder's (their checksum differs), so no image was made; "
                "please report this with the output of `glic doctor` from both machines."
            )
        return y_hat

    def synthesise(
        self, y_hat: Tensor, quality: float | None, width: int, height: int, *, grey: bool
    ) -> NDArray[np.uint8]:
        """Run g_s on scaled latents: uint8 (height, width, 3), or (height, width) if grey.

        Args:
            y_hat: what :meth:`decode` returned.
            quality: as of :meth:`encode`.
            width, height: as of :meth:`decode`.
            grey: return the mean of the colours.
        """
        finish = partial(levels_of, grey=grey)
        with phase("synthesis"), full_precision_inference(self.device), self._transform_precision():
            y_hat = self.unscale(y_hat.float(), quality)
            return colour_of(self.model.synthesise(y_hat, (height, width), finish))

    def _transform_precision(self) -> contextlib.AbstractContextManager[object]:
        return bfloat16_products(self.device.type) if self.precision == "bf16" else contextlib.nullcontext()


def coding_memory(model: Codec, width: int, height: int, *, decoding: bool) -> int:
    """Lower bound on the bytes that encoding or decoding an image adds to the process at its peak.

    Args:
        model: the codec.
        width, height: of the image, in pixels.
        decoding: rather than encoding.
    """
    wide, high = padded_size(width, height, LATENT_STRIDE)
    maps = _MAPS_DECODING if decoding else _MAPS_ENCODING
    pixels, first_stage = wide * high, _BYTES_PER_PIXEL + maps * _first_width(model)
    whole = pixels * first_stage
    if not isinstance(model, GLIC):
        return int(whole)
    transform = model.g_s if decoding else model.g_a
    graphs = any(isinstance(layer, GFABlock) for layer in transform.modules())
    quarter = _MAPS_WITH_GRAPHS if graphs else _MAPS_WITHOUT_GRAPHS
    later = _IMAGE_BYTES + graphs * _GRAPH_BYTES + quarter * model.config["widths"][1] / 4
    return int(min(whole, pixels * later + 16 * BAND_NODES * first_stage))


def check_coding_memory(
    model: Codec, width: int, height: int, device: torch.device, *, decoding: bool
) -> None:
    """Refuse an image that does not fit into memory.

    Raises:
        NotEnoughMemory: with how much is needed and how much is free.
    """
    check_memory(
        coding_memory(model, width, height, decoding=decoding),
        f"{'Decoding' if decoding else 'Encoding'} an image of {width}x{height} pixels",
        "free some, or use smaller weights or a smaller image",
        str(device),
    )


def _first_width(model: Codec) -> int:
    """Channels of the first stage: outputs of the convolutions that read pixels."""
    layers = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    return max((layer.out_channels for layer in layers if layer.in_channels == 3), default=0)
