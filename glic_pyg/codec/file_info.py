"""``glic_pyg.open_info``: what a file says about itself, without torch and without weights."""

from __future__ import annotations

from dataclasses import dataclass

from glic_pyg.codec.container import AnySource, glic_bytes, read_container
from glic_pyg.metrics import bpp

__all__ = ["FileInfo", "open_info"]


@dataclass(frozen=True)
class FileInfo:
    """What a ``.glic`` file says about itself; no weights are needed to read it.

    Attributes:
        model, weights_hash: which weights decode it, and the first 8 bytes of their hash in hex.
        width, height: in pixels.
        mode: Pillow's name for what comes back: L, LA, RGB or RGBA.
        source_mode: what the picture was converted from.
        quality: 0 to 100; ``None`` where the weights have one rate only.
        bytes, bpp: of the whole file.
        streams: bytes of each stream, by name.
        ignored_streams: kinds of ignorable streams this version does not know.
    """

    model: str
    weights_hash: str
    width: int
    height: int
    mode: str
    source_mode: str
    quality: float | None
    bytes: int
    bpp: float
    streams: dict[str, int]
    ignored_streams: tuple[int, ...]


def open_info(source: AnySource) -> FileInfo:
    """Read the header of a ``.glic`` file and verify all its checksums.

    Args:
        source: the bytes of a file, its path, or a binary stream of it.

    Raises:
        glic_pyg.errors.GlicFileError: the file is damaged or none of ours.
    """
    data = glic_bytes(source, max_pixels=None)
    container = read_container(data, max_pixels=None)
    header = container.header
    return FileInfo(
        model=header.model,
        weights_hash=header.weights_hash.hex(),
        width=header.width,
        height=header.height,
        mode=("L" if header.grey else "RGB") + ("A" if header.alpha else ""),
        source_mode=header.source_mode,
        quality=header.quality,
        bytes=container.size,
        bpp=bpp(container.size, header.width, header.height),
        streams={kind.name.lower(): len(payload) for kind, payload in container.streams.items()},
        ignored_streams=container.ignored,
    )
