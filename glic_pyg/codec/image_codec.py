"""Encodes images to ``.glic`` files and decodes them, with one model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.codec.alpha import pack_alpha, take_alpha
from glic_pyg.codec.container import (
    DEFAULT_MAX_PIXELS,
    Container,
    Stream,
    check_pixels,
    read_container,
    write_container,
)
from glic_pyg.codec.effort import Effort
from glic_pyg.codec.file_search import Candidate, FileSearch
from glic_pyg.codec.header import ANY_SIZE, HASH_BYTES, Header, header_name
from glic_pyg.codec.image import ImageData, as_image_data
from glic_pyg.codec.latent_coder import LatentCoder, Latents, Precision, check_coding_memory
from glic_pyg.codec.metadata import Metadata, deflate, inflate
from glic_pyg.codec.pixels import padded_size
from glic_pyg.codec.rate_control import (
    DEFAULT_QUALITY,
    HIGHEST_PSNR,
    RateTarget,
    bracket_of,
    file_quality,
    search_improved,
    search_quality,
    with_outcome,
)
from glic_pyg.codec.results import Decoded, Encoded
from glic_pyg.errors import CorruptFile, FixedRate, WeightsMismatch
from glic_pyg.metrics import pixel_psnr
from glic_pyg.models.base import Codec
from glic_pyg.progress import Report, reporting

__all__ = ["Decoded", "Encoded", "ImageCodec", "ImageEncoder", "Precision"]


Source = Image.Image | NDArray[np.generic] | ImageData


class ImageCodec:
    """Encodes and decodes single images with one model.

    Args:
        model: the codec, with trained weights; it is moved to ``device`` and set to eval mode.
        name: of these weights, as in the files; shortened to what a header holds.
        weights_hash: SHA-256 of the weights, hex; the files carry its first 8 bytes.
        device: where to compute.
        precision: ``"bf16"`` takes products in g_a and g_s, never in the entropy model, in bfloat16.
        former_hash: the hash by which older files know the weights, if it is another.
        max_pixels: refuse images with more pixels, in files of versions 1 and 2 padded; ``None`` allows any.

    Raises:
        BadArgument: torch cannot use the device, or the precision is unknown.
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
        """The codec, in eval mode on :attr:`device`."""
        return self._coder.model

    @property
    def device(self) -> torch.device:
        """Device that the model runs on."""
        return self._coder.device

    @property
    def variable_rate(self) -> bool:
        """Whether these weights code at any quality rather than at one rate."""
        return self._coder.rates is not None

    def encode(
        self,
        source: Source,
        *,
        target: RateTarget | None = None,
        reduce_16bit: bool = False,
        first_frame: bool = False,
        estimate: bool = False,
        effort: Effort | None = None,
        report: Report | None = None,
    ) -> Encoded:
        """Encode one image.

        Args:
            source: a Pillow image, an array or image data, see ``image``.
            target: a quality, size or PSNR; default: quality ``DEFAULT_QUALITY`` for variable-rate weights.
            reduce_16bit, first_frame: allow these losses.
            estimate: also compute ``Encoded.estimated_bits``.
            effort: how much to search for a better file; default: not at all.
            report: is told how far each phase of the work is.

        Raises:
            FixedRate, OutOfReach, UnsupportedImage, ImageTooLarge, NotEnoughMemory, NonFiniteLatents: see
                ``errors``.
        """
        target = self._target(target)
        losses = {"reduce_16bit": reduce_16bit, "first_frame": first_frame}
        with reporting(report):
            prepared = self.prepare(source, **losses, estimate=estimate, effort=effort)
            return prepared.at(None) if target is None else prepared.reach(target)

    def encode_many(
        self, sources: Iterable[Source], *, target: RateTarget | None = None, estimate: bool = False
    ) -> Iterator[Encoded]:
        """Encode images one by one; each file equals that of :meth:`encode`."""
        for source in sources:
            yield self.encode(source, target=target, estimate=estimate)

    def prepare(
        self,
        source: Source,
        *,
        reduce_16bit: bool = False,
        first_frame: bool = False,
        estimate: bool = False,
        effort: Effort | None = None,
    ) -> ImageEncoder:
        """Run g_a on one image, to encode it several times; arguments and errors as for :meth:`encode`."""
        if isinstance(source, Image.Image):
            check_pixels(*source.size, self.max_pixels)
        image = as_image_data(source, reduce_16bit=reduce_16bit, first_frame=first_frame)
        self._check_size(*image.size, decoding=False)
        return ImageEncoder(self._coder, self.name, self.hash_prefix, image, estimate=estimate, effort=effort)

    def decode(self, data: bytes, *, report: Report | None = None) -> Decoded:
        """Decode one file.

        Args:
            data: the file.
            report: is told how far each phase of the work is.

        Raises:
            GlicFileError: the file is damaged, foreign, or written with other weights.
            ImageTooLarge: more pixels than ``max_pixels``.
            NotEnoughMemory: more pixels than there is memory for.
        """
        container = read_container(data, max_pixels=self.max_pixels)
        header = container.header
        self._check_weights(header)
        self._check_quality(header)
        self._check_size(*self._coded_size(header), decoding=True)
        alpha = (
            take_alpha(container.streams[Stream.ALPHA], header.height, header.width) if header.alpha else None
        )
        metadata = Metadata(*(_metadata(container, kind) for kind in (Stream.EXIF, Stream.ICC, Stream.XMP)))
        with reporting(report):
            colour = self._decode_colour(container)
        return Decoded(ImageData(colour, alpha, metadata, header.source_mode), container)

    def _decode_colour(self, container: Container) -> NDArray[np.uint8]:
        header = container.header
        width, height = self._coded_size(header)
        colour = self._coder.synthesise(
            self._coder.decode(container.streams[Stream.LATENTS], width, height, header.latents_crc),
            header.quality, width, height, grey=header.grey,
        )  # fmt: skip
        return colour[: header.height, : header.width]

    def _coded_size(self, header: Header) -> tuple[int, int]:
        """Width and height that the model decodes: the image's, rounded up in files of versions 1 and 2."""
        multiple = self.model.multiple if header.version < ANY_SIZE else 1
        return padded_size(header.width, header.height, multiple)

    def _target(self, target: RateTarget | None) -> RateTarget | None:
        """The target, or the default one of variable-rate weights."""
        if self.variable_rate:
            return target or RateTarget("quality", DEFAULT_QUALITY)
        if target is not None:
            raise FixedRate(
                f"The weights '{self.name}' code at one rate, so no quality or target can be asked for; "
                "leave it out, or name variable-rate weights."
            )
        return None

    def _check_size(self, width: int, height: int, *, decoding: bool) -> None:
        """Check what the model would code against the limit on pixels, and the memory that it needs."""
        check_pixels(width, height, self.max_pixels)
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


class ImageEncoder:
    """Encodes one image at several qualities; g_a runs once, the entropy model for every file.

    Args:
        coder: the model.
        name: of the weights, as in the files.
        hash_prefix: of the weights, as in the files.
        image: what to encode.
        estimate: also compute ``Encoded.estimated_bits``.
        effort: how much to search for better files, see :mod:`~glic_pyg.codec.effort`.

    Raises:
        NonFiniteLatents: the model computes an infinity or a NaN, here or for a file.
        NotEnoughMemory: effort compares decoded images, and decoding this one does not fit.
    """

    def __init__(
        self,
        coder: LatentCoder,
        name: str,
        hash_prefix: bytes,
        image: ImageData,
        *,
        estimate: bool,
        effort: Effort | None = None,
    ) -> None:
        self._coder = coder
        self._name, self._hash_prefix = name, hash_prefix
        self._image = image
        self._estimate = estimate
        self._side_streams = _side_streams(image)
        if effort and effort.level:
            self._check_decoding()
        self._y = coder.analyse(image.colour)
        self._search = FileSearch(coder, image, self._y, effort) if effort and effort.level else None

    def at(self, quality: float | None) -> Encoded:
        """Encode at a quality from 0 to 100, to the nearest hundredth; ``None`` for weights of one rate.

        Raises:
            ValueError: there is no such quality, or these weights have none.
        """
        return self._improved(None if quality is None else file_quality(quality))[0]

    def reach(self, target: RateTarget) -> Encoded:
        """Search the file that meets a target: 98 to 100 % of the bytes, 0 to 0.05 dB above the PSNR.

        An image so small that no quality hits these gets the nearest file on the right side, with a note. So
        does a target that asks for nothing: more bytes than the highest quality needs, fewer dB than the
        lowest gives.

        Raises:
            OutOfReach: the lowest quality needs more bytes, or the highest gives fewer dB.
            NotEnoughMemory: a PSNR is measured on the decoded image, and decoding this one does not fit.
        """
        if target.kind == "quality":
            return self.at(target.value)
        if target.kind == "psnr":
            self._check_decoding()
        bracket = bracket_of(target, *self._image.size)
        measure = self._psnr if target.kind == "psnr" else _log_size

        def plain(quality: float) -> tuple[float, Encoded]:
            candidate = self._candidate(quality)
            return measure(candidate), candidate[0]

        def improved(quality: float) -> tuple[float, Encoded]:
            candidate = self._improved(quality)
            return measure(candidate), candidate[0]

        if self._search is None:
            found = search_quality(plain, bracket)
        else:
            found = search_improved(plain, improved, bracket)
        return with_outcome(found, bracket, target)

    def _check_decoding(self) -> None:
        """Decoding takes more than encoding, which is checked already."""
        check_coding_memory(self._coder.model, *self._image.size, self._coder.device, decoding=True)

    def _psnr(self, candidate: Candidate) -> float:
        encoded, y_hat = candidate
        image = self._image
        decoded = self._coder.synthesise(y_hat, encoded.quality, *image.size, grey=image.grey)
        return min(pixel_psnr(decoded, image.colour), HIGHEST_PSNR)

    def _improved(self, quality: float | None) -> Candidate:
        plain = self._candidate(quality)
        return plain if self._search is None else self._search.improve(plain, self._file)

    def _candidate(self, quality: float | None) -> Candidate:
        return self._file(Latents(self._coder.scale(self._y, quality)), quality)

    def _file(self, scaled: Latents, quality: float | None) -> Candidate:
        coder, y_hat = self._coder.encode_scaled(scaled, estimate=self._estimate)
        latents, image = coder.finish(), self._image
        width, height = image.size
        header = Header(
            self._name, self._hash_prefix, width, height, image.grey, image.alpha is not None,
            image.source_mode, coder.crc, quality,
        )  # fmt: skip
        data = write_container(header, {Stream.LATENTS: latents, **self._side_streams})
        estimated = coder.estimated_bits if self._estimate else None
        return Encoded(data, width, height, quality, 8 * len(latents), estimated, image.notes), y_hat


def _log_size(candidate: Candidate) -> float:
    return math.log(len(candidate[0].data))


def _side_streams(image: ImageData) -> dict[Stream, bytes]:
    """Streams of alpha and metadata."""
    streams: dict[Stream, bytes] = {}
    if image.alpha is not None:
        streams[Stream.ALPHA] = pack_alpha(image.alpha)
    metadata = image.metadata
    for kind, payload in (
        (Stream.EXIF, metadata.exif),
        (Stream.ICC, metadata.icc),
        (Stream.XMP, metadata.xmp),
    ):
        if payload:
            streams[kind] = deflate(payload)
    return streams
