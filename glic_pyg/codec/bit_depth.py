"""How many bits a sample of an opened image file really has, where Pillow quietly keeps only eight."""

from __future__ import annotations

from PIL import Image

__all__ = ["bits_per_sample"]


def bits_per_sample(image: Image.Image) -> int:
    """Return 8 or more bits a colour sample has in the file behind ``image``.

    Works before the pixels are loaded: Pillow keeps what it knows about the file's layout until then. An
    image that no file stands behind is judged by its mode.
    """
    if image.mode.startswith("I;16") or image.mode == "I":
        return 16
    if image.mode == "F":
        return 32
    for tile in getattr(image, "tile", ()):
        if ";16" in str(tile[3]) or _large_maximum(tile):
            return 16
    return _declared_bits(image)


def _large_maximum(tile: tuple[object, ...]) -> bool:
    """Portable pixmaps state the largest sample instead of the bits."""
    arguments = tile[3]
    return (
        str(tile[0]).startswith("ppm")
        and isinstance(arguments, tuple)
        and any(isinstance(a, int) and a > 255 for a in arguments)
    )


def _declared_bits(image: Image.Image) -> int:
    """AVIF and JPEG 2000 declare their depth in a small box that Pillow skips over."""
    file = getattr(image, "fp", None)
    if image.format not in ("AVIF", "JPEG2000") or file is None:
        return 8
    position = file.tell()
    file.seek(0)
    head = file.read(1 << 16)
    file.seek(position)
    if image.format == "AVIF":
        return _largest_after(head, b"pixi", skip=5, mask=0xFF, add=0)
    return _largest_after(head, b"\xff\x51", skip=38, mask=0x7F, add=1)


def _largest_after(head: bytes, mark: bytes, *, skip: int, mask: int, add: int) -> int:
    """Bits of the first component described ``skip`` bytes after ``mark``; 8 if there is none."""
    at = head.find(mark)
    if at < 0 or at + len(mark) + skip >= len(head):
        return 8
    return max(8, (head[at + len(mark) + skip] & mask) + add)
