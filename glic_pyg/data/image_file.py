"""One encoded picture, in a file of its own or inside a tar shard."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import ContainerIO, Image

from glic_pyg.codec.errors import GlicError

__all__ = ["SUFFIXES", "DataError", "ImageFile", "UnreadableImage"]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What counts as a picture in folders and shards."""

_WIDE_MODES = ("I", "F")  # Pillow would clip their samples at 255


class DataError(GlicError):
    """A data set cannot be used as it is; the message is one sentence for the user."""


class UnreadableImage(GlicError, ValueError):
    """A single picture could not be decoded; the message names it and says why."""


@dataclass(frozen=True)
class ImageFile:
    """Where the bytes of one picture are.

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
        """Height and width in pixels, from the file's first bytes.

        Raises:
            UnreadableImage: it is not the beginning of a picture of 8 bits a sample.
        """
        with self._explained(), open(self.path, "rb") as file:
            inside: IO[bytes] = ContainerIO.ContainerIO(file, self.offset, self.size) if self.member else file
            with Image.open(inside) as image:
                if image.mode.startswith(_WIDE_MODES):
                    raise ValueError("more than 8 bits a sample; convert it to 8 bits")
                return image.height, image.width

    def decode(self) -> NDArray[np.uint8]:
        """Decode to RGB, (H, W, 3) uint8; alpha is dropped, grey repeated.

        Raises:
            UnreadableImage: the bytes are not a whole picture.
        """
        with self._explained(), open(self.path, "rb") as file:
            file.seek(self.offset)
            with Image.open(io.BytesIO(file.read(self.size))) as image:
                return np.array(image.convert("RGB"))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what Pillow and the system raise into a sentence with the picture's name."""
        try:
            yield
        except Image.UnidentifiedImageError:
            raise UnreadableImage(f"{self.name}: not a picture") from None
        except Exception as error:  # Pillow's decoders share no error type
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            reason = " ".join(reason.split()) or type(error).__name__
            raise UnreadableImage(f"{self.name}: {reason}") from error
