"""Decoded pictures to crop from, all in memory or one at a time."""

import logging
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glic_pyg.training.image_files import DataError, ImageFile, UnreadableImage

log = logging.getLogger(__name__)


class ImageStore(Protocol):
    """A sequence of decoded pictures, each (H, W, 3) uint8."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Picture number `index`."""


class MemoryStore:
    """Decodes everything once; a picture then costs nothing but its memory (3 bytes a pixel).

    Args:
        files: pictures to decode; those that cannot be decoded, or that are too small, are named in
            the log, counted and left out.
        min_side: least height and width, pixels.
        threads: decoding threads, all cores by default.

    Attributes:
        skipped: one line for each picture left out, with its name and the reason.

    Raises:
        DataError: no picture is left.
    """

    def __init__(self, files: Sequence[ImageFile], min_side: int = 1, threads: int | None = None) -> None:
        self.images: list[NDArray[np.uint8]] = []
        self.skipped: list[str] = []
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            for result in pool.map(lambda file: _decode_large(file, min_side), files):
                if isinstance(result, str):
                    self.skipped.append(result)
                else:
                    self.images.append(result)
        _report(self.skipped, len(files))
        if not self.images:
            raise DataError(f"None of {len(files)} pictures can be used; the first: {self.skipped[0]}")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self.images[index]


class FileStore:
    """Decodes a picture whenever it is asked for: for data sets larger than memory.

    A picture that cannot be used is named in the log once for each process, and the next one in
    order takes its place, so that the choice stays the same wherever it is made.

    Args:
        files: pictures.
        min_side: least height and width, pixels.
    """

    def __init__(self, files: Sequence[ImageFile], min_side: int = 1) -> None:
        self.files = list(files)
        self.min_side = min_side
        self.skipped: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        for shift in range(len(self.files)):
            place = (index + shift) % len(self.files)
            if place in self.skipped:
                continue
            result = _decode_large(self.files[place], self.min_side)
            if not isinstance(result, str):
                return result
            self.skipped[place] = result
            log.warning("picture skipped (%d so far): %s", len(self.skipped), result)
        raise DataError(f"None of {len(self.files)} pictures can be used; the first: {self.skipped[0]}")


def _decode_large(file: ImageFile, min_side: int) -> NDArray[np.uint8] | str:
    """The decoded picture, or the reason why it cannot be used."""
    try:
        image = file.decode()
    except UnreadableImage as error:
        return str(error)
    height, width = image.shape[:2]
    if min(height, width) < min_side:
        return f"{file.name}: {width}x{height} pixels, too small for crops of {min_side}"
    return image


def _report(skipped: Iterable[str], total: int) -> None:
    for count, reason in enumerate(skipped, start=1):
        log.warning("picture skipped (%d of %d): %s", count, total, reason)
