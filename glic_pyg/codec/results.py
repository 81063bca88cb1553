"""What encoding, decoding and :func:`open_info` return. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glic_pyg.codec.container import AnySource, Container, glic_bytes, read_container
from glic_pyg.metrics import bpp

if TYPE_CHECKING:
    from PIL import Image

    from glic_pyg.codec.image import ImageData
    from glic_pyg.types import Pixels

__all__ = ["Decoded", "Encoded", "FileInfo", "Won", "open_info"]


@dataclass(frozen=True)
class Won:
    """What a search for better latents brought, against effort 0 at the same quality.

    Attributes:
        level: the effort.
        steps: of the search; fewer than the level has if it was stopped.
        bytes: of the file of effort 0.
        psnr_before, psnr_after: of the decoded images, in dB.
        gain: at equal quality, to first order, the part of those bytes that was saved; 0 where nothing was,
            and the file is that of effort 0.
    """

    level: int
    steps: int
    bytes: int
    psnr_before: float
    psnr_after: float
    gain: float


@dataclass(frozen=True)
class Encoded:
    """An encoded file and its rate.

    Attributes:
        data: the bytes of the file.
        width, height: of the image, in pixels.
        quality: 0 to 100, as the file states it; ``None`` for weights of one fixed rate.
        latent_bits: real bits of the latents stream.
        estimated_bits: bits the model's likelihoods predict for the latents; ``None`` unless asked for.
        notes: what is not kept of the source, and how a target was missed.
        psnr: of the decoded 8-bit image, without alpha, in dB; ``None`` unless it was the target.
        won: what effort brought; ``None`` without any.
    """

    data: bytes
    width: int
    height: int
    quality: float | None
    latent_bits: int
    estimated_bits: float | None
    notes: tuple[str, ...]
    psnr: float | None = None
    won: Won | None = None

    @property
    def bpp(self) -> float:
        """Bits of the whole file per pixel."""
        return bpp(len(self.data), self.width, self.height)


@dataclass(frozen=True)
class Decoded:
    """A decoded image and the parsed file."""

    image_data: ImageData
    container: Container

    @property
    def image(self) -> Image.Image:
        """The image for Pillow."""
        return self.image_data.to_pillow()

    @property
    def array(self) -> Pixels:
        """The image as uint8 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
        return self.image_data.array()


@dataclass(frozen=True)
class FileInfo:
    """What the header of a ``.glic`` file states; no weights are needed to read it.

    Attributes:
        model, weights_hash: the weights that decode it, and the first 8 bytes of their hash in hex.
        width, height: in pixels.
        mode: Pillow's name for the decoded image's mode: L, LA, RGB or RGBA.
        source_mode: the mode that the source was converted from.
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
    """Read the header of a ``.glic`` file and verify all its checksums, without torch and without weights.

    Args:
        source: the bytes of a file, its path, or a binary stream of it.

    Raises:
        glic_pyg.errors.GlicFileError: the file is damaged or no ``.glic`` file.
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
