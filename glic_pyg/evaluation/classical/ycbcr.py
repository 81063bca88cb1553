"""RGB to the planes that video codecs take, and back: BT.709, full range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.evaluation.classical.contract import Pixels

__all__ = ["frame_size", "rgb_from_frame", "ycbcr_frame"]

_RED, _BLUE = 0.2126, 0.0722
_CB, _CR = 2 * (1 - _BLUE), 2 * (1 - _RED)


def ycbcr_frame(pixels: Pixels, *, bits: int, halved: bool) -> bytes:
    """One planar frame, little endian, two bytes a sample if ``bits`` is more than 8.

    Args:
        pixels: uint8 (H, W, 3), or (H, W) which is repeated.
        bits: a sample.
        halved: 4:2:0 instead of 4:4:4, chroma by Pillow's bicubic filter; odd sides get one more line by
            repetition of the last.
    """
    rgb = (np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels).astype(np.float64) / 255
    if halved:
        rgb = np.pad(rgb, [(0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)], mode="edge")
    luma = rgb @ [_RED, 1 - _RED - _BLUE, _BLUE]
    chroma = [(rgb[..., 2] - luma) / _CB + _grey(bits), (rgb[..., 0] - luma) / _CR + _grey(bits)]
    if halved:
        chroma = [_resized(plane, luma.shape[0] // 2, luma.shape[1] // 2) for plane in chroma]
    return b"".join(_samples(plane, bits) for plane in (luma, *chroma))


def rgb_from_frame(frame: bytes, shape: tuple[int, ...], *, bits: int, halved: bool) -> Pixels:
    """The picture of a frame that :func:`ycbcr_frame` made: uint8 of the shape, (H, W, 3) or (H, W)."""
    width, height = frame_size(shape, halved=halved)
    samples = np.frombuffer(frame, _type(bits)).astype(np.float64) / (2**bits - 1)
    luma = samples[: width * height].reshape(height, width)
    rest = samples[width * height :].reshape(2, *((height // 2, width // 2) if halved else (height, width)))
    blue, red = ((_resized(plane, height, width) if halved else plane) - _grey(bits) for plane in rest)
    r, b = luma + _CR * red, luma + _CB * blue
    g = (luma - _RED * r - _BLUE * b) / (1 - _RED - _BLUE)
    rgb = (np.dstack([r, g, b]) * 255).clip(0, 255).round().astype(np.uint8)[: shape[0], : shape[1]]
    return rgb if len(shape) == 3 else rgb[..., 1]


def frame_size(shape: tuple[int, ...], *, halved: bool) -> tuple[int, int]:
    """Width and height of the frame of a picture of this shape, even for 4:2:0."""
    height, width = shape[:2]
    return (width + width % 2, height + height % 2) if halved else (width, height)


def _samples(plane: NDArray[np.float64], bits: int) -> bytes:
    return (plane * (2**bits - 1)).clip(0, 2**bits - 1).round().astype(_type(bits)).tobytes()


def _grey(bits: int) -> float:
    """What chroma is when there is no colour: 2^(bits-1) of 2^bits - 1."""
    return 2 ** (bits - 1) / (2**bits - 1)


def _type(bits: int) -> str:
    return "<u2" if bits > 8 else "u1"


def _resized(plane: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float64)
