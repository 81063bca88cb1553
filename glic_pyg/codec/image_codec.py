"""Pictures to ``.glic`` files and back, with one model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from glic_pyg.codec.agreement import PriorTables
from glic_pyg.codec.alpha import pack_alpha, take_alpha
from glic_pyg.codec.arithmetic import plain_arithmetic
from glic_pyg.codec.container import (
    DEFAULT_MAX_PIXELS,
    Container,
    Stream,
    check_pixels,
    read_container,
    write_container,
)
from glic_pyg.codec.errors import LatentMismatch, NonFiniteLatents, WeightsMismatch
from glic_pyg.codec.header import HASH_BYTES, Header
from glic_pyg.codec.metadata import Metadata, deflate, inflate
from glic_pyg.codec.padding import colour_from_tensor, padded_size, tensor_from_colour
from glic_pyg.codec.picture import Picture
from glic_pyg.codec.pixels import picture_from
from glic_pyg.codec.reading_channel import ReadingChannel
from glic_pyg.codec.writing_channel import WritingChannel
from glic_pyg.models.contract import LATENT_STRIDE, Backbone

__all__ = ["Decoded", "Encoded", "ImageCodec", "Precision"]

Precision = Literal["float32", "bf16"]


@dataclass(frozen=True)
class Encoded:
    """A file and what it cost.

    Attributes:
        data: the bytes of the file.
        width, height: of the picture, in pixels.
        latent_bits: real bits of the latents stream.
        estimated_bits: bits the model's likelihoods predict for the latents; ``None`` unless asked for.
        notes: what about the source is not kept.
    """

    data: bytes
    width: int
    height: int
    latent_bits: int
    estimated_bits: float | None
    notes: tuple[str, ...]

    @property
    def bpp(self) -> float:
        """Bits of the whole file a pixel of the picture."""
        return 8 * len(self.data) / (self.width * self.height)


@dataclass(frozen=True)
class Decoded:
    """A picture and the file it came from."""

    picture: Picture
    container: Container

    @property
    def image(self) -> Image.Image:
        """The picture for Pillow."""
        return self.picture.image()

    @property
    def array(self) -> NDArray[np.uint8]:
        """The picture as uint8 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
        return self.picture.array()


class ImageCodec:
    """Encodes and decodes single images with one model.

    Args:
        model: the backbone, with trained weights; it is moved to ``device`` and set to eval mode.
        name: what the files shall call these weights.
        weights_hash: SHA-256 of the weights, hex; the files carry its first 8 bytes.
        device: where to compute.
        precision: ``"bf16"`` runs g_a and g_s, never the entropy model, under bfloat16 autocast.
        max_pixels: refuse pictures that, padded, have more pixels.
    """

    def __init__(
        self,
        model: Backbone,
        name: str,
        weights_hash: str,
        *,
        device: str | torch.device = "cpu",
        precision: Precision = "float32",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        if precision not in ("float32", "bf16"):
            raise ValueError(f"precision must be 'float32' or 'bf16', not {precision!r}.")
        self.device = torch.device(device)
        self.model = model.to(self.device).eval() if isinstance(model, torch.nn.Module) else model
        self.name = name
        self.hash_prefix = bytes.fromhex(weights_hash)[:HASH_BYTES]
        self.precision = precision
        self.max_pixels = max_pixels
        self._priors = PriorTables()

    def encode(
        self,
        source: Image.Image | NDArray[np.generic] | Picture,
        *,
        reduce_16bit: bool = False,
        first_frame: bool = False,
        estimate: bool = False,
    ) -> Encoded:
        """Encode one image.

        Args:
            source: a Pillow image, an array or a picture, see ``pixels``.
            reduce_16bit, first_frame: allow these losses.
            estimate: also compute ``Encoded.estimated_bits``.

        Raises:
            UnsupportedImage, ImageTooLarge, NonFiniteLatents: see ``errors``.
        """
        if isinstance(source, Image.Image):
            check_pixels(*source.size, self.max_pixels)
        picture = picture_from(source, reduce_16bit=reduce_16bit, first_frame=first_frame)
        width, height = picture.size
        self._check_size(width, height)
        channel = self._encode_latents(picture, estimate)
        latents = channel.finish()
        header = Header(
            self.name, self.hash_prefix, width, height, picture.grey, picture.alpha is not None,
            picture.source_mode, channel.crc,
        )  # fmt: skip
        data = write_container(header, {Stream.LATENTS: latents, **_side_streams(picture)})
        estimated = channel.estimated_bits if estimate else None
        return Encoded(data, width, height, 8 * len(latents), estimated, picture.notes)

    def encode_many(
        self, sources: Iterable[Image.Image | NDArray[np.generic] | Picture], *, estimate: bool = False
    ) -> Iterator[Encoded]:
        """Encode images one after the other, so that each file is the same as if encoded alone."""
        for source in sources:
            yield self.encode(source, estimate=estimate)

    def decode(self, data: bytes) -> Decoded:
        """Decode one file.

        Raises:
            GlicFileError: the file is damaged, foreign, or written with other weights.
            ImageTooLarge: more pixels than ``max_pixels``.
        """
        container = read_container(data, max_pixels=self.max_pixels)
        header = container.header
        self._check_weights(header)
        self._check_size(header.width, header.height)
        alpha = (
            take_alpha(container.streams[Stream.ALPHA], header.height, header.width) if header.alpha else None
        )
        metadata = Metadata(*(_metadata(container, kind) for kind in (Stream.EXIF, Stream.ICC, Stream.XMP)))
        colour = self._decode_colour(container)
        return Decoded(Picture(colour, alpha, metadata, header.source_mode), container)

    def _encode_latents(self, picture: Picture, estimate: bool) -> WritingChannel:
        channel = WritingChannel(self._priors, estimate=estimate)
        with plain_arithmetic(self.device):
            with self._transform_precision():
                y = self.model.g_a(tensor_from_colour(picture.colour, self.model.multiple, self.device))
            y = y.float()
            if not y.isfinite().all():
                raise NonFiniteLatents("The model computed latents that are not finite for this picture.")
            self.model.code_latents(channel, y, shape=(y.shape[-2], y.shape[-1]))
        return channel

    def _decode_colour(self, container: Container) -> NDArray[np.uint8]:
        header = container.header
        with plain_arithmetic(self.device):
            y_hat = self._decode_latents(container)
            with self._transform_precision():
                x_hat = self.model.g_s(y_hat)
            del y_hat
            return colour_from_tensor(x_hat, header.width, header.height, grey=header.grey)

    def _decode_latents(self, container: Container) -> Tensor:
        header = container.header
        channel = ReadingChannel(self._priors, container.streams[Stream.LATENTS])
        wide, high = padded_size(header.width, header.height, self.model.multiple)
        y_hat = self.model.code_latents(channel, None, shape=(high // LATENT_STRIDE, wide // LATENT_STRIDE))
        if channel.crc != header.latents_crc:
            raise LatentMismatch(
                "The decoded latents are not the encoder's (their checksum differs), so no picture was made; "
                "please report this with the output of `glic doctor` from both machines."
            )
        return y_hat.float()

    def _transform_precision(self) -> contextlib.AbstractContextManager[object]:
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def _check_size(self, width: int, height: int) -> None:
        """The limit holds for the padded picture: that is what costs time and memory."""
        check_pixels(width, height, self.max_pixels)
        check_pixels(*padded_size(width, height, self.model.multiple), self.max_pixels)

    def _check_weights(self, header: Header) -> None:
        if header.weights_hash != self.hash_prefix:
            raise WeightsMismatch(
                f"The file was written with weights '{header.model}' ({header.weights_hash.hex()}) and the "
                f"ones at hand are '{self.name}' ({self.hash_prefix.hex()}); give others with --weights."
            )


def _side_streams(picture: Picture) -> dict[Stream, bytes]:
    """Everything but the latents."""
    streams: dict[Stream, bytes] = {}
    if picture.alpha is not None:
        streams[Stream.ALPHA] = pack_alpha(picture.alpha)
    metadata = picture.metadata
    for kind, payload in (
        (Stream.EXIF, metadata.exif),
        (Stream.ICC, metadata.icc),
        (Stream.XMP, metadata.xmp),
    ):
        if payload:
            streams[kind] = deflate(payload)
    return streams


def _metadata(container: Container, kind: Stream) -> bytes | None:
    return inflate(container.streams[kind]) if kind in container.streams else None
