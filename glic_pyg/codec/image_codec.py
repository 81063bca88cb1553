"""Pictures to ``.glic`` files and back, with one model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.codec.alpha import take_alpha
from glic_pyg.codec.container import DEFAULT_MAX_PIXELS, Container, Stream, check_pixels, read_container
from glic_pyg.codec.header import HASH_BYTES, Header, header_name
from glic_pyg.codec.latent_coder import LatentCoder, Precision, check_coding_memory, padded_size
from glic_pyg.codec.metadata import Metadata, inflate
from glic_pyg.codec.picture import Picture
from glic_pyg.codec.picture_encoder import PictureEncoder
from glic_pyg.codec.pixels import picture_from
from glic_pyg.codec.rate_control import DEFAULT_QUALITY, RateTarget
from glic_pyg.codec.results import Decoded, Encoded
from glic_pyg.errors import CorruptFile, FixedRate, WeightsMismatch
from glic_pyg.models.base import Codec

__all__ = ["Decoded", "Encoded", "ImageCodec", "Precision"]

Source = Image.Image | NDArray[np.generic] | Picture


class ImageCodec:
    """Encodes and decodes single images with one model.

    Args:
        model: the backbone, with trained weights; it is moved to ``device`` and set to eval mode.
        name: what the files shall call these weights; shortened to what a header holds.
        weights_hash: SHA-256 of the weights, hex; the files carry its first 8 bytes.
        device: where to compute.
        precision: ``"bf16"`` takes products in g_a and g_s, never in the entropy model, in bfloat16.
        former_hash: the hash by which older files know the weights, if it is another.
        max_pixels: refuse pictures that, padded, have more pixels; ``None`` allows any.

    Raises:
        BadArgument: there is no such device or precision.
    """

    def __init__(
        self,
        model: Codec,
        name: str,
        weights_hash: str,
        *,
        former_hash: str | None = None,
        device: str | torch.device = "cpu",
        precision: Precision = "float32",
        max_pixels: int | None = DEFAULT_MAX_PIXELS,
    ) -> None:
        self._coder = LatentCoder(model, device, precision)
        self.name = header_name(name)
        self.hash_prefix = bytes.fromhex(weights_hash)[:HASH_BYTES]
        former = () if former_hash is None else (bytes.fromhex(former_hash)[:HASH_BYTES],)
        self._hash_prefixes = (self.hash_prefix, *former)
        self.max_pixels = max_pixels

    @property
    def model(self) -> Codec:
        """The backbone, in eval mode on :attr:`device`."""
        return self._coder.model

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        return self._coder.device

    @property
    def variable_rate(self) -> bool:
        """Whether these weights code at any quality, not at one rate only."""
        return self._coder.rates is not None

    def encode(
        self,
        source: Source,
        *,
        target: RateTarget | None = None,
        reduce_16bit: bool = False,
        first_frame: bool = False,
        estimate: bool = False,
    ) -> Encoded:
        """Encode one image.

        Args:
            source: a Pillow image, an array or a picture, see ``pixels``.
            target: a quality, size or PSNR; quality ``DEFAULT_QUALITY`` by default, where there is a choice.
            reduce_16bit, first_frame: allow these losses.
            estimate: also compute ``Encoded.estimated_bits``.

        Raises:
            FixedRate, OutOfReach, UnsupportedImage, ImageTooLarge, NotEnoughMemory, NonFiniteLatents: see
                ``errors``.
        """
        target = self._goal(target)
        prepared = self.prepare(source, reduce_16bit=reduce_16bit, first_frame=first_frame, estimate=estimate)
        return prepared.at(None) if target is None else prepared.reach(target)

    def encode_many(
        self, sources: Iterable[Source], *, target: RateTarget | None = None, estimate: bool = False
    ) -> Iterator[Encoded]:
        """Encode images one after the other, so that each file is the same as if encoded alone."""
        for source in sources:
            yield self.encode(source, target=target, estimate=estimate)

    def prepare(
        self,
        source: Source,
        *,
        reduce_16bit: bool = False,
        first_frame: bool = False,
        estimate: bool = False,
    ) -> PictureEncoder:
        """Analyse one image, to make several files of it; arguments and errors as for :meth:`encode`."""
        if isinstance(source, Image.Image):
            check_pixels(*source.size, self.max_pixels)
        picture = picture_from(source, reduce_16bit=reduce_16bit, first_frame=first_frame)
        self._check_size(*picture.size, decoding=False)
        return PictureEncoder(self._coder, self.name, self.hash_prefix, picture, estimate=estimate)

    def decode(self, data: bytes) -> Decoded:
        """Decode one file.

        Raises:
            GlicFileError: the file is damaged, foreign, or written with other weights.
            ImageTooLarge: more pixels than ``max_pixels``.
            NotEnoughMemory: more pixels than there is memory for.
        """
        container = read_container(data, max_pixels=self.max_pixels)
        header = container.header
        self._check_weights(header)
        self._check_quality(header)
        self._check_size(header.width, header.height, decoding=True)
        alpha = (
            take_alpha(container.streams[Stream.ALPHA], header.height, header.width) if header.alpha else None
        )
        metadata = Metadata(*(_metadata(container, kind) for kind in (Stream.EXIF, Stream.ICC, Stream.XMP)))
        colour = self._decode_colour(container)
        return Decoded(Picture(colour, alpha, metadata, header.source_mode), container)

    def _decode_colour(self, container: Container) -> NDArray[np.uint8]:
        header = container.header
        stream = container.streams[Stream.LATENTS]
        y_hat = self._coder.decode(stream, header.width, header.height, header.latents_crc)
        return self._coder.synthesise(y_hat, header.quality, header.width, header.height, grey=header.grey)

    def _goal(self, target: RateTarget | None) -> RateTarget | None:
        """The target, or the default one where the weights leave a choice."""
        if self.variable_rate:
            return target or RateTarget("quality", DEFAULT_QUALITY)
        if target is not None:
            raise FixedRate(
                f"The weights '{self.name}' code at one rate, so no quality or target can be asked for; "
                "leave it out, or name variable-rate weights."
            )
        return None

    def _check_size(self, width: int, height: int, *, decoding: bool) -> None:
        """The limit holds for the padded picture: that is what costs time and memory."""
        check_pixels(width, height, self.max_pixels)
        check_pixels(*padded_size(width, height, self.model.multiple), self.max_pixels)
        check_coding_memory(self.model, width, height, self.device, decoding=decoding)

    def _check_weights(self, header: Header) -> None:
        if header.weights_hash not in self._hash_prefixes:
            raise WeightsMismatch(
                f"The file was written with weights '{header.model}' ({header.weights_hash.hex()}) and the "
                f"ones at hand are '{self.name}' ({self.hash_prefix.hex()}); give others with --weights."
            )

    def _check_quality(self, header: Header) -> None:
        if header.quality is not None and not self.variable_rate:
            raise CorruptFile("The file names a quality and its weights have one rate only.")
        if header.quality is None and self.variable_rate:
            raise CorruptFile("The file names no quality, which its weights need.")


def _metadata(container: Container, kind: Stream) -> bytes | None:
    return inflate(container.streams[kind]) if kind in container.streams else None
