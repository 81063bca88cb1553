"""Opens image files with Pillow: kind, size and bit depth before anything is decoded, and one type of error.

Nothing here changes a setting of the process, so that any number of threads can open images at once: the
limit on pixels is the caller's. Only :func:`collect_warnings` does, which is for commands.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from PIL import Image, ImageFile

from glic_pyg.codec.container import check_pixels
from glic_pyg.errors import GlicError, ImageTooLarge, UnsupportedImage

__all__ = [
    "bits_per_sample",
    "collect_warnings",
    "explanation",
    "may_be_image",
    "open_image",
    "pillow_errors",
]

_thread = threading.local()


def open_image(file: IO[bytes], max_pixels: int | None) -> ImageFile.ImageFile:
    """Identify an image file and read its header, as ``PIL.Image.open`` does.

    Unlike there, the limit on pixels is this call's, and ``PIL.Image.MAX_IMAGE_PIXELS`` is neither set nor
    asked here. Some of Pillow's plugins ask it while they decode (TIFF, WebP); twice as much is refused then.

    Args:
        file: open for reading; it has to stay open as long as the image is used.
        max_pixels: refuse larger images; ``None`` allows any.

    Raises:
        UnsupportedImage: Pillow cannot read it; the message says as what kind of file it was tried.
        ImageTooLarge: it has more pixels.
    """
    file.seek(0)
    prefix = file.read(16)
    if not prefix:
        raise UnsupportedImage("This is not an image: it cannot be read, because it is empty.")
    failure = ""
    for name in _known_kinds():
        if not _may_be(name, prefix):
            continue
        file.seek(0)
        try:
            image = Image.OPEN[name][0](file, "")
        except Image.DecompressionBombError:
            raise
        except Exception as error:  # of another kind, or damaged: what plugins raise then differs
            known_by_its_start = Image.OPEN[name][1] is not None
            if known_by_its_start and not failure:
                failure = (
                    f"This looks like a {name} file that is damaged, cut short or of a form unknown to "
                    f"Pillow ({explanation(error)})."
                )
        else:
            check_pixels(image.width, image.height, max_pixels)
            return image
    raise UnsupportedImage(failure or "This is not an image that Pillow can read.")


def may_be_image(head: bytes) -> bool:
    """Whether a file with this beginning may be an image, without reading the rest of it."""
    if any(Image.OPEN[name][1] is not None and _may_be(name, head[:16]) for name in _known_kinds()):
        return True
    try:
        open_image(io.BytesIO(head), None).close()
    except (GlicError, Image.DecompressionBombError):
        return False
    return True


def _known_kinds() -> Iterator[str]:
    """Yield Pillow's names of image formats, the common ones before the others are imported.

    A ``.glic`` file is no image here, whether ``glic_pyg.pillow`` has been imported or not: opening it takes
    weights, and reading its head would take the whole file.
    """
    seen: set[str] = set()
    for prepare in (Image.preinit, Image.init):
        prepare()
        for name in tuple(Image.ID):
            if name not in seen and name != "GLIC":
                seen.add(name)
                yield name


def _may_be(name: str, prefix: bytes) -> bool:
    """Whether a file with this beginning can be of a format; formats without a signature always can."""
    accept = Image.OPEN[name][1]
    try:
        accepted = True if accept is None else accept(prefix)
    except Exception:  # the file is shorter than the plugin thought
        return False
    return bool(accepted) and not isinstance(accepted, str)  # in words: Pillow was built without it


@contextmanager
def pillow_errors(notes: list[str], failure: str = "The image cannot be read") -> Iterator[None]:
    """Turn everything that Pillow raises into one type of error, and its warnings into notes.

    Args:
        notes: gets a sentence for each different warning that this thread causes meanwhile, in programs that
            :func:`collect_warnings`.
        failure: first words of the error.

    Raises:
        UnsupportedImage: for any exception but our own: Pillow's many decoders share no type.
    """
    with _noting(notes):
        try:
            yield
        except GlicError:
            raise
        except Image.DecompressionBombError:
            raise _pillows_limit(2) from None
        except Image.DecompressionBombWarning:  # in a program that makes warnings errors
            raise _pillows_limit(1) from None
        except Exception as error:
            raise UnsupportedImage(f"{failure}: {explanation(error)}.") from error


def _pillows_limit(times: int) -> ImageTooLarge:
    assert Image.MAX_IMAGE_PIXELS is not None
    return ImageTooLarge(
        f"The image has more than {times * Image.MAX_IMAGE_PIXELS} pixels, which Pillow refuses to decode "
        "from this kind of file; convert it to PNG first, or set PIL.Image.MAX_IMAGE_PIXELS in your program."
    )


def explanation(error: BaseException) -> str:
    """An exception's text on one line, without its full stop."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, SyntaxError) and "unknown pixel mode" in str(error):
        return "Pillow knows no such samples, for example floats in three channels; convert it to 8 bit first"
    text = " ".join(str(error).split())[:300].rstrip(". ")
    return text or f"it ends too early or is damaged ({type(error).__name__})"


def collect_warnings() -> None:
    """Turn Pillow's warnings inside :func:`pillow_errors` into notes from now on, instead of printing them.

    For a program that owns its process, as the commands do: Python's filters and what shows warnings hold for
    all threads. Elsewhere Pillow's warnings are the surrounding program's, like those of any library.
    """
    show = warnings.showwarning
    if getattr(show, "collects", False):
        return

    def collect(message: Warning | str, *where: Any, **how: Any) -> None:
        notes = getattr(_thread, "notes", None)
        if notes is None:
            show(message, *where, **how)
        elif not isinstance(message, Image.DecompressionBombWarning):  # the limit is the caller's
            note = f"Pillow says: {' '.join(str(message).split()).rstrip('.')}."
            if note not in notes:
                notes.append(note)

    collect.collects = True  # type: ignore[attr-defined]
    warnings.showwarning = collect
    warnings.filterwarnings("always", module=r"PIL\.")


@contextmanager
def _noting(notes: list[str]) -> Iterator[None]:
    """Collect Pillow's warnings of this thread in a list."""
    before = getattr(_thread, "notes", None)
    _thread.notes = notes
    try:
        yield
    finally:
        _thread.notes = before


def bits_per_sample(image: Image.Image) -> int:
    """Return the bits per sample, at least 8, of the file behind ``image``; 32 for floats.

    Works before the pixels are loaded: Pillow keeps what it knows about the file's layout until then, and
    reduces many kinds of 16-bit samples to 8 while loading. An image that no file stands behind is judged by
    its mode.
    """
    if image.mode.startswith("I;16") or image.mode == "I":
        return 16
    if image.mode == "F":
        return 32
    if any(_is_deep(*tile[::3]) for tile in getattr(image, "tile", ())):
        return 16
    return _declared_bits(image)


def _is_deep(decoder: str, arguments: Any) -> bool:
    """Whether a tile is stored with more than 8 bits, by the decoder that Pillow chose and its arguments."""
    if ";16" in str(arguments) or decoder == "SGI16":
        return True
    values = arguments if isinstance(arguments, tuple) else (arguments,)
    if decoder.startswith("ppm"):  # portable pixmaps state the largest sample instead of the bits
        return any(isinstance(value, int) and value > 255 for value in values)
    if decoder == "bcn":  # BC6 of DDS files holds half floats
        return 6 in values[:1]
    if decoder == "dds_rgb":  # bits per pixel, and the mask of each channel
        return any(mask.bit_count() > 8 for mask in values[1])
    return False


def _declared_bits(image: Image.Image) -> int:
    """Bits per sample that AVIF and JPEG 2000 declare in a box that Pillow skips."""
    file = getattr(image, "fp", None)
    if image.format not in ("AVIF", "JPEG2000") or file is None:
        return 8
    position = file.tell()
    file.seek(0)
    head = file.read(1 << 20)
    file.seek(position)
    if image.format == "AVIF":
        return _largest_after(head, b"pixi", skip=5, mask=0xFF, add=0)
    return _largest_after(head, b"\xff\x4f\xff\x51", skip=38, mask=0x7F, add=1)


def _largest_after(head: bytes, mark: bytes, *, skip: int, mask: int, add: int) -> int:
    """Bits of the first component described ``skip`` bytes after ``mark``; 8 if there is none."""
    at = head.find(mark)
    if at < 0 or at + len(mark) + skip >= len(head):
        return 8
    return max(8, (head[at + len(mark) + skip] & mask) + add)
