"""One picture, analysed once: its file at any quality, and the quality that a target asks for."""

from __future__ import annotations

import math

from torch import Tensor

from glic_pyg.codec.alpha import pack_alpha
from glic_pyg.codec.container import Stream, write_container
from glic_pyg.codec.header import Header
from glic_pyg.codec.latent_coder import LatentCoder
from glic_pyg.codec.metadata import deflate
from glic_pyg.codec.picture import Picture
from glic_pyg.codec.rate_control import (
    HIGHEST_PSNR,
    RateTarget,
    bracket_of,
    file_quality,
    search_quality,
    with_outcome,
)
from glic_pyg.codec.results import Encoded
from glic_pyg.metrics import pixel_psnr

__all__ = ["PictureEncoder"]


Candidate = tuple[Encoded, Tensor]
"""A file, and its y_hat as the entropy model left it."""


class PictureEncoder:
    """Makes files of one picture; g_a runs when it is made, the entropy model for every file.

    Args:
        coder: the model.
        name: what the files shall call its weights.
        hash_prefix: of the weights, as in the files.
        picture: what to encode.
        estimate: also compute ``Encoded.estimated_bits``.

    Raises:
        NonFiniteLatents: the model computes an infinity or a NaN, here or for a file.
    """

    def __init__(
        self, coder: LatentCoder, name: str, hash_prefix: bytes, picture: Picture, *, estimate: bool
    ) -> None:
        self._coder = coder
        self._name, self._hash_prefix = name, hash_prefix
        self._picture = picture
        self._estimate = estimate
        self._side_streams = _side_streams(picture)
        self._y = coder.analyse(picture.colour)

    def at(self, quality: float | None) -> Encoded:
        """The file at a quality from 0 to 100, to the nearest hundredth; ``None`` for weights of one rate.

        Raises:
            ValueError: there is no such quality, or these weights have none.
        """
        return self._candidate(None if quality is None else file_quality(quality))[0]

    def reach(self, target: RateTarget) -> Encoded:
        """The file that meets a target: 98 to 100 % of the bytes, 0 to 0.05 dB above the PSNR.

        An image so small that no quality hits these gets the nearest file on the right side, with a note. So
        does a target that asks for nothing: more bytes than the highest quality needs, fewer dB than the
        lowest gives.

        Raises:
            OutOfReach: the lowest quality needs more bytes, or the highest gives fewer dB.
        """
        if target.kind == "quality":
            return self.at(target.value)
        bracket = bracket_of(target, *self._picture.size)
        measure = self._psnr if target.kind == "psnr" else _log_size

        def attempt(quality: float) -> tuple[float, Encoded]:
            candidate = self._candidate(quality)
            return measure(candidate), candidate[0]

        return with_outcome(search_quality(attempt, bracket), bracket, target)

    def _psnr(self, candidate: Candidate) -> float:
        encoded, y_hat = candidate
        picture = self._picture
        decoded = self._coder.synthesise(y_hat, encoded.quality, *picture.size, grey=picture.grey)
        return min(pixel_psnr(decoded, picture.colour), HIGHEST_PSNR)

    def _candidate(self, quality: float | None) -> Candidate:
        coder, y_hat = self._coder.encode(self._y, quality, estimate=self._estimate)
        latents, picture = coder.finish(), self._picture
        width, height = picture.size
        header = Header(
            self._name, self._hash_prefix, width, height, picture.grey, picture.alpha is not None,
            picture.source_mode, coder.crc, quality,
        )  # fmt: skip
        data = write_container(header, {Stream.LATENTS: latents, **self._side_streams})
        estimated = coder.estimated_bits if self._estimate else None
        return Encoded(data, width, height, quality, 8 * len(latents), estimated, picture.notes), y_hat


def _log_size(candidate: Candidate) -> float:
    return math.log(len(candidate[0].data))


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
