"""One encoded image, in a file of its own or inside a tar shard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import ContainerIO

from glic_pyg.codec.image import ImageData
from glic_pyg.codec.image_file import read_image, read_size
from glic_pyg.errors import GlicError, UnreadableImage

__all__ = ["MAX_PIXELS", "SUFFIXES", "ImageFile"]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Extensions of the files in folders and shards that are taken as images."""

MAX_PIXELS = 1 << 28
"""Limit against damaged and hostile files: 268 megapixels are 805 MB when decoded."""


@dataclass(frozen=True)
class ImageFile:
    """Location of the bytes of one image.

    Attributes:
        path: the file or the shard.
        member: name inside the shard, ``None`` for a file of its own.
        offset: first byte in the shard.
        size: bytes in the shard, or -1 for all of a file.
    """

    path: Path
    member: str | None = None
    offset: int = 0
    size: int = -1

    @property
    def name(self) -> str:
        """Name for messages."""
        return str(self.path) if self.member is None else f"{self.path}!{self.member}"

    def measure(self) -> tuple[int, int]:
        """Read height and width of the upright image in pixels, from the first bytes where possible.

        Raises:
            UnreadableImage: it is not the beginning of an image that could be decoded.
        """
        with self._explained(), open(self.path, "rb") as file:
            inside: IO[bytes] = ContainerIO.ContainerIO(file, self.offset, self.size) if self.member else file
            width, height = read_size(inside, max_pixels=MAX_PIXELS)
        return height, width

    def read(self, *, max_pixels: int = MAX_PIXELS) -> ImageData:
        """Read the image as ``glic encode`` does; see :func:`~glic_pyg.codec.image_file.read_image`.

        Raises:
            UnreadableImage: the bytes are not a whole image, or one that would lose something.
        """
        with self._explained(), open(self.path, "rb") as file:
            file.seek(self.offset)
            return read_image(file.read(self.size), max_pixels=max_pixels)

    def decode(self) -> NDArray[np.uint8]:
        """Decode to RGB, (H, W, 3) uint8; alpha is dropped, grey repeated.

        Raises:
            UnreadableImage: as for :meth:`read`.
        """
        colour = self.read().colour
        return np.dstack([colour] * 3) if colour.ndim == 2 else colour

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Prefix errors with the image's name."""
        try:
            yield
        except GlicError as error:
            reason = str(error).removeprefix("This is ").rstrip(".")
            raise UnreadableImage(f"{self.name}: {reason}") from error
        except OSError as error:
            raise UnreadableImage(f"{self.name}: {error.strerror or error}") from error
