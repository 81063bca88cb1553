"""Pictures in folders and in WebDataset-style tar shards, found and decoded."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


class DataError(ValueError):
    """The data set cannot be used as it is; the message is one sentence for the user."""


class UnreadableImage(ValueError):
    """A single picture could not be decoded."""


@dataclass(frozen=True)
class ImageFile:
    """One encoded picture: a file of its own, or a stretch of a tar shard.

    Attributes:
        path: the file or the shard.
        member: name inside the shard, ``None`` for a file of its own.
        offset: first byte in the shard.
        size: bytes in the shard.
    """

    path: Path
    member: str | None = None
    offset: int = 0
    size: int = -1

    @property
    def name(self) -> str:
        """Name for messages."""
        return str(self.path) if self.member is None else f"{self.path}!{self.member}"

    def read(self) -> bytes:
        """The encoded bytes."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def decode(self) -> NDArray[np.uint8]:
        """Decode to RGB, (H, W, 3) uint8.

        Raises:
            UnreadableImage: naming the picture and what is wrong with it.
        """
        try:
            with Image.open(io.BytesIO(self.read())) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UnreadableImage(f"{self.name}: {error}") from error


def find_images(root: str | Path) -> list[ImageFile]:
    """All pictures below a folder, in shards and as files, in the order of their names.

    Args:
        root: a folder, which may hold further folders and tar shards, or one tar shard.

    Raises:
        DataError: there is no such folder, or nothing in it.
    """
    root = Path(root)
    if not root.exists():
        raise DataError(
            f"Data folder {root} does not exist; name one with pictures or tar shards (data/README.md)."
        )
    found: list[ImageFile] = []
    for path in [root] if root.is_file() else sorted(root.rglob("*")):
        if path.suffix.lower() == ".tar":
            found += _members(path)
        elif path.suffix.lower() in SUFFIXES and path.is_file():
            found.append(ImageFile(path))
    if not found:
        raise DataError(
            f"Data folder {root} holds no pictures ({', '.join(sorted(SUFFIXES))}) and no tar shards."
        )
    return found


def _members(shard: Path) -> list[ImageFile]:
    try:
        with tarfile.open(shard, "r:") as tar:
            return [
                ImageFile(shard, member.name, member.offset_data, member.size)
                for member in tar
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES
            ]
    except tarfile.TarError as error:
        raise DataError(f"Shard {shard} is not a readable tar file ({error}); fetch it again.") from error
