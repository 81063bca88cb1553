"""The Python API: ``glic_pyg.encode`` and ``glic_pyg.decode``, for images, arrays, bytes and paths.

Both are thread-safe: results do not depend on other threads, loaded models are shared, and no setting of the
process is changed (torch's threads and defaults, Pillow's limits).
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.codec.container import DEFAULT_MAX_PIXELS, glic_bytes, read_container, unreadable
from glic_pyg.codec.effort import Effort
from glic_pyg.codec.image_codec import ImageCodec, Precision, Source
from glic_pyg.codec.image_file import read_image
from glic_pyg.codec.rate_control import parse_target
from glic_pyg.codec.weights_store import Weights, default_name, load_from_path, load_shipped, weights_file
from glic_pyg.errors import BadArgument

__all__ = ["codec_for_decoding", "codec_for_encoding", "decode", "encode"]

AnyPath = str | os.PathLike[str]
Bytes = bytes | bytearray | memoryview

_loading = threading.Lock()
"""Serializes loading, so that concurrent calls load the same weights once."""


def encode(
    image: Image.Image | NDArray[np.generic] | AnyPath | Bytes,
    *,
    quality: float | None = None,
    target_bytes: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    model: str | None = None,
    weights: AnyPath | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
    reduce_16bit: bool = False,
    first_frame: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    effort: int | Effort = 0,
) -> bytes:
    """Compress an image to the bytes of a ``.glic`` file.

    Args:
        image: a Pillow image of any mode, a uint8 array (H, W), (H, W, 2), (H, W, 3) or (H, W, 4), or an
            image file: its path, or its bytes.
        quality: 0 to 100, for weights of variable rate; 50 unless this or a target is given.
        target_bytes, target_bpp: instead, the size of the file, in bytes or in bits per pixel; it gets 98 to
            100 % of that.
        target_psnr: instead, the PSNR of the decoded pixels, in dB; it is met or exceeded by up to 0.05 dB.
        model: name of shipped weights; default :func:`~glic_pyg.codec.weights_store.default_name`.
        weights: a file instead, see :func:`~glic_pyg.models.loading.load_model`, or the folder of a run.
        device: where to compute, ``"cpu"`` or ``"cuda"``.
        precision: ``"bf16"`` for faster transforms.
        reduce_16bit, first_frame: allow these losses.
        max_pixels: refuse larger images.
        effort: 0 to 9, how long to search for a better file of the same weights; an
            :class:`~glic_pyg.codec.effort.Effort` to say more.

    Raises:
        glic_pyg.errors.GlicError: one clear sentence about what is wrong.
    """
    wanted = effort if isinstance(effort, Effort) else Effort(effort)
    target = parse_target(
        quality=quality, target_bytes=target_bytes, target_bpp=target_bpp, target_psnr=target_psnr
    )
    codec = codec_for_encoding(model, weights, device=device, precision=precision, max_pixels=max_pixels)
    losses = {"reduce_16bit": reduce_16bit, "first_frame": first_frame}
    prepared = _image(image, max_pixels, losses)
    return codec.encode(
        prepared, target=target, reduce_16bit=reduce_16bit, first_frame=first_frame, effort=wanted
    ).data


def decode(
    data: Bytes | AnyPath,
    *,
    weights: AnyPath | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image.Image:
    """Decompress a ``.glic`` file to a Pillow image (L, LA, RGB or RGBA; ``numpy.asarray`` gives the pixels).

    EXIF, ICC profile and XMP are in its ``info``, under the keys Pillow uses.

    Args:
        data: the bytes of the file, or its path.
        weights: other weights, as for :func:`encode`; default: the shipped ones that the file names.
        device, precision, max_pixels: as for :func:`encode`; they need not be the encoder's.

    Raises:
        glic_pyg.errors.GlicError: one clear sentence about what is wrong.
    """
    _check(device, precision, max_pixels)
    content = glic_bytes(data, max_pixels=max_pixels)
    codec = codec_for_decoding(content, weights, device=device, precision=precision, max_pixels=max_pixels)
    return codec.decode(content).image


def codec_for_encoding(
    model: str | None,
    weights: AnyPath | None,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> ImageCodec:
    """Return the codec that :func:`encode` uses; the most recent ones are cached.

    Raises:
        GlicError: there are no such weights, or an argument makes no sense.
    """
    _check(device, precision, max_pixels)
    if weights is not None:
        return _with_file(weights, device, precision, max_pixels)
    if model is not None and not isinstance(model, str):
        raise BadArgument(f"A model is the name of shipped weights, not {model!r}.")
    return _with_name(model or default_name(), device, precision, max_pixels)


def codec_for_decoding(
    data: bytes,
    weights: AnyPath | None,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> ImageCodec:
    """Return the codec that :func:`decode` uses for this file; the most recent ones are cached.

    Raises:
        GlicFileError: the file is damaged, or names weights that are not here.
        BadArgument: an argument makes no sense.
    """
    _check(device, precision, max_pixels)
    header = read_container(data, max_pixels=max_pixels).header
    if weights is not None:
        return _with_file(weights, device, precision, max_pixels)
    return _with_name(header.model, device, precision, max_pixels)


def _image(image: Any, max_pixels: int, losses: dict[str, bool]) -> Source:
    """Read image files; pass everything else on to the codec."""
    flat = isinstance(image, memoryview) and image.ndim == 1
    if isinstance(image, bytes | bytearray) or flat:
        return read_image(bytes(image), max_pixels=max_pixels, **losses)
    if isinstance(image, str | os.PathLike):
        try:
            return read_image(Path(image), max_pixels=max_pixels, **losses)
        except (OSError, ValueError) as error:
            raise unreadable(image, error) from error
    return image


def _with_file(weights: Any, device: str, precision: Precision, max_pixels: int) -> ImageCodec:
    if not isinstance(weights, str | os.PathLike):
        raise BadArgument(f"Weights are given as the path of a file, not as {type(weights).__name__}.")
    path = weights_file(weights).resolve()
    state = path.stat() if path.is_file() else None
    version = None if state is None else (state.st_mtime_ns, state.st_size)
    with _loading:
        return _from_path(path, version, device, precision, max_pixels)


def _with_name(name: str, device: str, precision: Precision, max_pixels: int) -> ImageCodec:
    with _loading:
        return _from_name(name, device, precision, max_pixels)


def _check(device: Any, precision: Any, max_pixels: Any) -> None:
    """Refuse values that cannot be keys of the cache; whether torch can use the device, the codec checks."""
    if not isinstance(device, str | torch.device):
        raise BadArgument(f"A device is 'cpu' or 'cuda', not {device!r}.")
    if precision not in get_args(Precision):
        raise BadArgument(f"A precision is 'float32' or 'bf16', not {precision!r}.")
    if max_pixels is not None and (not isinstance(max_pixels, int | np.integer) or max_pixels < 1):
        raise BadArgument(f"max_pixels is a whole number of at least 1, not {max_pixels!r}.")


@lru_cache(maxsize=2)
def _from_path(
    path: Path, _version: object, device: str, precision: Precision, max_pixels: int
) -> ImageCodec:
    """The codec of a weights file; a file replaced under the same name is loaded again."""
    return _codec(load_from_path(path), device, precision, max_pixels)


@lru_cache(maxsize=2)
def _from_name(name: str, device: str, precision: Precision, max_pixels: int) -> ImageCodec:
    return _codec(load_shipped(name), device, precision, max_pixels)


def _codec(loaded: Weights, device: str, precision: Precision, max_pixels: int) -> ImageCodec:
    return ImageCodec(
        loaded.model,
        loaded.name,
        loaded.hash,
        former_hash=loaded.former_hash,
        device=device,
        precision=precision,
        max_pixels=max_pixels,
    )
