"""One picture, analysed once: its file at any quality, and the quality that a goal asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from glic_pyg.codec.alpha import pack_alpha
from glic_pyg.codec.coded import Encoded
from glic_pyg.codec.container import Stream, write_container
from glic_pyg.codec.goal import Goal, file_quality
from glic_pyg.codec.header import HIGHEST_QUALITY, Header
from glic_pyg.codec.latent_coder import LatentCoder
from glic_pyg.codec.metadata import deflate
from glic_pyg.codec.picture import Picture
from glic_pyg.codec.rate_search import Try, Window, search
from glic_pyg.errors import OutOfReach
from glic_pyg.metrics import pixel_psnr

__all__ = ["PictureEncoder"]

_SIZE_SLACK = 0.02
_PSNR_SLACK = 0.05
_HIGHEST_PSNR = 100.0
_USUAL_LOG_SIZE_SLOPE = math.log(12) / 100  # 0.1 to 1.2 bpp over all qualities
_USUAL_PSNR_SLOPE = 0.1

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

    def reach(self, goal: Goal) -> Encoded:
        """The file that meets a goal: 98 to 100 % of the bytes, 0 to 0.05 dB above the PSNR.

        An image so small that no quality hits these gets the nearest file on the right side, with a note. So
        does a target that asks for nothing: more bytes than the highest quality needs, fewer dB than the
        lowest gives.

        Raises:
            OutOfReach: the lowest quality needs more bytes, or the highest gives fewer dB.
        """
        if goal.kind == "quality":
            return self.at(goal.value)
        measure, window = self._yardstick(goal)

        def attempt(quality: float) -> tuple[float, Encoded]:
            candidate = self._candidate(quality)
            return measure(candidate), candidate[0]

        return _judged(search(attempt, window), window, goal)

    def _yardstick(self, goal: Goal) -> tuple[Callable[[Candidate], float], Window]:
        """What to measure of a candidate, and where it shall lie. Sizes are compared by their logarithms."""
        if goal.kind == "psnr":
            return self._psnr, Window(goal.value, goal.value + _PSNR_SLACK, "least", _USUAL_PSNR_SLOPE)
        width, height = self._picture.size
        size = goal.value if goal.kind == "bytes" else goal.value * width * height / 8
        window = Window(math.log(size * (1 - _SIZE_SLACK)), math.log(size), "most", _USUAL_LOG_SIZE_SLOPE)
        return _log_size, window

    def _psnr(self, candidate: Candidate) -> float:
        encoded, y_hat = candidate
        picture = self._picture
        decoded = self._coder.synthesise(y_hat, encoded.quality, *picture.size, grey=picture.grey)
        return min(pixel_psnr(decoded, picture.colour), _HIGHEST_PSNR)

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


def _judged(found: Try[Encoded], window: Window, goal: Goal) -> Encoded:
    """The file that was found, with a note if it is not quite what was asked for.

    Raises:
        OutOfReach: it is at the end of the qualities, and worse than what was asked for.
    """
    encoded = found.result
    if goal.kind == "psnr":
        encoded = replace(encoded, psnr=found.measure if found.measure < _HIGHEST_PSNR else math.inf)
    if window.holds(found.measure):
        return encoded
    wanted = goal.text(goal.value)
    got = goal.text({"bytes": len(encoded.data), "bpp": encoded.bpp, "psnr": found.measure}[goal.kind])
    too_much = found.measure > window.most
    end = "the lowest" if too_much else "the highest"
    at_the_end = found.quality == (0 if too_much else HIGHEST_QUALITY)
    if at_the_end and too_much == (goal.kind == "psnr"):
        verb = "gives" if too_much else "needs only"
        note = f"Quality {found.quality:g}, {end}, {verb} {got}, not {wanted}."
    elif at_the_end:
        raise OutOfReach(
            f"This picture cannot be coded at {wanted}: quality {found.quality:g}, {end}, gives {got}."
        )
    else:
        note = f"The nearest to {wanted} that was found is {got}."
    return replace(encoded, notes=(*encoded.notes, note))


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
