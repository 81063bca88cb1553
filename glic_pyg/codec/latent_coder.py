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
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from glic_pyg.codec.coders import EntropyDecoder, EntropyEncoder, PriorTables
from glic_pyg.codec.determinism import full_precision_inference, usable_device
from glic_pyg.errors import BadArgument, LatentMismatch, NonFiniteLatents
from glic_pyg.memory import check_memory
from glic_pyg.models.base import LATENT_STRIDE, Codec
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GFABlock
from glic_pyg.nn.precision import bfloat16_products
from glic_pyg.nn.tiling import BAND_NODES

__all__ = [
    "LatentCoder",
    "Latents",
    "Precision",
    "check_coding_memory",
    "coding_memory",
    "colour_from_tensor",
    "padded",
    "padded_size",
    "tensor_from_colour",
]

Precision = Literal["float32", "bf16"]

_CODED_PER_LATENT = 2
"""Upper bound on rounded values per latent: the latent itself, and its correction (MLIC++)."""

_BYTES_PER_PIXEL = 75
_MAPS_ENCODING, _MAPS_DECODING = 2.6, 3.7
"""Float32 maps of the first stage that are alive at once; one is a byte per pixel and channel."""
_IMAGE_BYTES, _GRAPH_BYTES = 12, 36
_MAPS_WITH_GRAPHS, _MAPS_WITHOUT_GRAPHS = 7, 3
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
        with full_precision_inference(self.device), self._transform_precision():
            y = self.model.g_a(extended(tensor_from_colour(colour, self.device), LATENT_STRIDE)).float()
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
        with full_precision_inference(self.device):
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
        with full_precision_inference(self.device):
            y_hat = self.model.code_latents(coder, None, shape=shape)
        coder.finish()
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
        with full_precision_inference(self.device):
            y_hat = self.unscale(y_hat.float(), quality)
            with self._transform_precision():
                x_hat = self.model.synthesise(y_hat, (height, width))
            return colour_from_tensor(x_hat, width, height, grey=grey)

    def _transform_precision(self) -> contextlib.AbstractContextManager[object]:
        return bfloat16_products(self.device.type) if self.precision == "bf16" else contextlib.nullcontext()


def padded_size(width: int, height: int, multiple: int) -> tuple[int, int]:
    """Round (width, height) up to multiples of ``multiple``."""
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple


def tensor_from_colour(colour: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Convert pixels to x, float32 (1, 3, H, W) in [0, 1].

    Args:
        colour: uint8 (H, W, 3), or (H, W) grey, which becomes three equal channels.
        device: where to.
    """
    pixels = torch.from_numpy(colour).to(device)
    x = pixels.permute(2, 0, 1) if pixels.ndim == 3 else pixels.expand(3, *pixels.shape)
    return (x.to(torch.float32) / 255.0)[None]


def padded(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column of (1, C, H, W) until both sides are multiples, as in older files."""
    wide, high = padded_size(x.shape[3], x.shape[2], multiple)
    return F.pad(x, (0, wide - x.shape[3], 0, high - x.shape[2]), mode="replicate").contiguous()


def extended(x: Tensor, multiple: int) -> Tensor:
    """Continue an image by its edge, more and more blurred, until its sides are multiples.

    The decoder crops what is beyond the edge: it should cost little, and begin where the image ends. On crops
    of 260x300 (shipped weights, quality 50) repeating the edge takes 1.6 % more bits and a mirror image 3 %,
    for 0.02 dB; a constant takes as few bits, and costs 0.04 dB more.

    Args:
        x: (1, C, H, W).
        multiple: of both sides.

    Returns:
        (1, C, H', W').
    """
    for axis in (3, 2):
        missing = -x.shape[axis] % multiple
        if missing:
            edge = x.select(axis, -1).transpose(0, 1).double()  # (C, 1, length)
            kernels = _blurs(missing).to(edge)
            blurred = F.conv1d(F.pad(edge, (_REACH, _REACH), mode="replicate"), kernels).to(x)
            x = torch.cat([x, (blurred if axis == 2 else blurred.mT)[None]], axis)
    return x.contiguous()


_BLUR_STEP = 0.5
_REACH = 24


def _blurs(count: int) -> Tensor:
    """Gaussians of a standard deviation that grows by ``_BLUR_STEP`` a pixel, (count, 1, 2 _REACH + 1)."""
    deviation = _BLUR_STEP * torch.arange(1, count + 1, device="cpu", dtype=torch.float32)[:, None]
    offset = torch.arange(-_REACH, _REACH + 1, device="cpu", dtype=torch.float32)
    weights = torch.exp(-((offset / deviation) ** 2) / 2)
    return (weights / weights.sum(1, keepdim=True))[:, None]


def colour_from_tensor(x_hat: Tensor, width: int, height: int, *, grey: bool) -> NDArray[np.uint8]:
    """Convert x_hat (1, 3, H', W') to uint8 (height, width, 3); grey: (height, width), the channels' mean."""
    x = x_hat[0, :, :height, :width].float()
    x = x.mean(dim=0) if grey else x.permute(1, 2, 0)
    levels = x.clamp(0.0, 1.0).mul_(255.0).round_().to(torch.uint8)
    pixels: NDArray[np.uint8] = levels.contiguous().cpu().numpy()
    return pixels


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
