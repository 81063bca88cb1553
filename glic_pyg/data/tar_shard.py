"""Where the pictures of a tar shard lie."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from glic_pyg.data.image_file import SUFFIXES, ImageFile, UnreadableImage

__all__ = ["pictures_in"]


def pictures_in(shard: Path) -> Iterator[ImageFile]:
    """Pictures of an uncompressed tar file, as WebDataset writes them, with their places in it.

    Only the headers are read. With offset and size any picture can be read by itself, so that the order of
    training does not hang on how pictures were packed; a loader that reads shards from front to back can
    only shuffle within a window, and its order changes with the number of workers. The standard
    library's ``tarfile`` finds the places, whatever the flavour of tar.

    Raises:
        UnreadableImage: after the pictures before the damage, if the shard is cut short or no tar file.
    """
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in SUFFIXES:
                    yield ImageFile(shard, member.name, member.offset_data, member.size)
    except Exception as error:  # damaged headers end in errors of many types inside tarfile
        raise UnreadableImage(f"{shard}: not a whole, uncompressed tar file ({error})") from error
