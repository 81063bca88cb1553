"""Pillow opens and saves ``.glic`` files once this module is imported.

    import glic_pyg.pillow

    image = Image.open("photo.glic")        # header and metadata; pixels are decoded when they are asked for
    image.save("smaller.glic", quality=60)  # or target_bytes=, target_psnr=, weights=, effort=, ...

Torch and weights are loaded when the first pixels are decoded or the first file is saved; any number of
threads may do so at once.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import IO, Any, BinaryIO, cast

from PIL import Image, ImageFile

from glic_pyg.codec.container import DEFAULT_MAX_PIXELS, MAGIC, Stream, glic_bytes, read_container
from glic_pyg.codec.metadata import inflate
from glic_pyg.errors import GlicError, GlicFileError

__all__ = ["GlicImageFile"]

_INFO = {Stream.EXIF: "exif", Stream.ICC: "icc_profile", Stream.XMP: "xmp"}


class GlicImageFile(ImageFile.ImageFile):
    """A ``.glic`` file whose pixels are decoded when they are asked for.

    What the file says of itself is in ``info``: ``model``, and ``quality`` where the weights have several
    rates; EXIF, ICC profile and XMP are under the keys of Pillow's own formats.

    Raises:
        OSError: the file is damaged, or written with weights that are not here; one sentence says so.
    """

    format = "GLIC"
    format_description = "Learned image compression with graphs"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            data = glic_bytes(cast(BinaryIO, self.fp), max_pixels=None)
            container = read_container(data, max_pixels=None)
            header = container.header
            for kind, key in _INFO.items():
                if kind in container.streams:
                    block = inflate(container.streams[kind])
                    self.info[key] = b"Exif\0\0" + block if key == "exif" else block
        except GlicFileError as error:
            raise OSError(str(error)) from error
        self._data: bytes | None = data
        self._size = (header.width, header.height)
        self._mode = ("L" if header.grey else "RGB") + ("A" if header.alpha else "")
        self.info["model"] = header.model
        if header.quality is not None:
            self.info["quality"] = header.quality
        self.tile = []

    def load(self) -> Any:
        """Decode the pixels, if that was not done yet."""
        data = self._data
        if data is not None:
            from glic_pyg.codec.api import decode

            try:
                self.im = decode(data, max_pixels=_limit()).im
            except GlicError as error:
                raise OSError(str(error)) from error
            self._data = None
        return super().load()


def _limit() -> int:
    """Pillow has compared the image with its own limit; where a program took that away, ours goes too."""
    return sys.maxsize if Image.MAX_IMAGE_PIXELS is None else DEFAULT_MAX_PIXELS


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes | os.PathLike[str]) -> None:
    """Write an image with the arguments of :func:`glic_pyg.encode`; Pillow's formats ignore others too.

    ``exif``, ``icc_profile`` and ``xmp`` replace what the image has; ``None`` leaves it out.
    """
    from glic_pyg.codec.api import encode

    given = image.encoderinfo
    if replaced := {key: given[key] for key in _INFO.values() if key in given}:
        image = image.copy()
        if isinstance(replaced.get("exif"), Image.Exif):
            replaced["exif"] = replaced["exif"].tobytes()
        kept: dict[Any, Any] = {**image.info, **replaced}
        image.info = {key: value for key, value in kept.items() if value is not None}
    known = inspect.signature(encode).parameters
    options = {key: value for key, value in given.items() if key in known and key != "image"}
    file.write(encode(image, **options))


Image.register_open(GlicImageFile.format, GlicImageFile, _accept)
Image.register_save(GlicImageFile.format, _save)
Image.register_extension(GlicImageFile.format, ".glic")
Image.register_mime(GlicImageFile.format, "image/x-glic")
