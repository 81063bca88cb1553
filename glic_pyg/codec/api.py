"""The Python API for pixels: ``glic_pyg.encode`` and ``glic_pyg.decode``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.codec.container import DEFAULT_MAX_PIXELS, read_container
from glic_pyg.codec.goal import one_goal
from glic_pyg.codec.image_codec import ImageCodec, Precision
from glic_pyg.codec.library import default_name, load_from_path, load_shipped

__all__ = ["codec_for_decoding", "codec_for_encoding", "decode", "encode"]


def encode(
    image: Image.Image | NDArray[np.generic],
    *,
    quality: float | None = None,
    target_bytes: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    model: str | None = None,
    weights: str | Path | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
    reduce_16bit: bool = False,
    first_frame: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> bytes:
    """Compress a picture to the bytes of a ``.glic`` file.

    Args:
        image: a Pillow image of any mode, or a uint8 array (H, W), (H, W, 2), (H, W, 3) or (H, W, 4).
        quality: 0 to 100, for weights of variable rate; 50 unless this or a target is given.
        target_bytes, target_bpp: instead, the size of the file, in bytes or in bits a pixel; it gets 98 to
            100 % of that.
        target_psnr: instead, how near the decoded pixels shall be, in dB; they are 0 to 0.05 dB nearer.
        model: name of shipped weights; default :func:`~glic_pyg.codec.library.default_name`.
        weights: a weights file instead, ``.safetensors`` or a released ``.pth.tar``.
        device: where to compute, ``"cpu"`` or ``"cuda"``.
        precision: ``"bf16"`` for faster transforms.
        reduce_16bit, first_frame: allow these losses.
        max_pixels: refuse larger pictures.

    Raises:
        glic_pyg.errors.GlicError: one clear sentence about what is wrong.
    """
    goal = one_goal(
        quality=quality, target_bytes=target_bytes, target_bpp=target_bpp, target_psnr=target_psnr
    )
    codec = codec_for_encoding(model, weights, device=device, precision=precision, max_pixels=max_pixels)
    return codec.encode(image, goal=goal, reduce_16bit=reduce_16bit, first_frame=first_frame).data


def decode(
    data: bytes,
    *,
    weights: str | Path | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image.Image:
    """Decompress a ``.glic`` file to a Pillow image (L, LA, RGB or RGBA; ``numpy.asarray`` gives the pixels).

    EXIF, ICC profile and XMP are in its ``info``, under the keys Pillow uses.

    Args:
        data: the bytes of the file.
        weights: a weights file; default: the shipped ones that the file names.
        device, precision, max_pixels: as for :func:`encode`; they need not be the encoder's.

    Raises:
        glic_pyg.errors.GlicError: one clear sentence about what is wrong.
    """
    codec = codec_for_decoding(data, weights, device=device, precision=precision, max_pixels=max_pixels)
    return codec.decode(data).image


def codec_for_encoding(
    model: str | None,
    weights: str | Path | None,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> ImageCodec:
    """The codec that :func:`encode` would use; the last ones stay loaded."""
    if weights is not None:
        return _from_path(*_state(weights), device, precision, max_pixels)
    return _from_name(model or default_name(), device, precision, max_pixels)


def codec_for_decoding(
    data: bytes,
    weights: str | Path | None,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> ImageCodec:
    """The codec that :func:`decode` would use for this file; the last ones stay loaded.

    Raises:
        GlicFileError: the file is damaged, or names weights that are not here.
    """
    header = read_container(data, max_pixels=max_pixels).header
    if weights is not None:
        return _from_path(*_state(weights), device, precision, max_pixels)
    return _from_name(header.model, device, precision, max_pixels)


def _state(weights: str | Path) -> tuple[Path, int]:
    """A weights file's path and time of change: another file of the same name is loaded anew."""
    path = Path(weights).resolve()
    return path, path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=2)
def _from_path(path: Path, _modified: int, device: str, precision: Precision, max_pixels: int) -> ImageCodec:
    loaded = load_from_path(path)
    return ImageCodec(
        loaded.model, loaded.name, loaded.hash, device=device, precision=precision, max_pixels=max_pixels
    )


@lru_cache(maxsize=2)
def _from_name(name: str, device: str, precision: Precision, max_pixels: int) -> ImageCodec:
    loaded = load_shipped(name)
    return ImageCodec(
        loaded.model, loaded.name, loaded.hash, device=device, precision=precision, max_pixels=max_pixels
    )
