"""Every classical codec by its name."""

from __future__ import annotations

from glic_pyg.evaluation.classical.contract import ClassicalCodec
from glic_pyg.evaluation.classical.ffmpeg import HEVC, VVC
from glic_pyg.evaluation.classical.pillow import AVIF, JPEG, JPEG_2000, JPEG_XL, WEBP
from glic_pyg.evaluation.classical.vtm import VTM

__all__ = ["CLASSICAL_CODECS"]

CLASSICAL_CODECS: dict[str, ClassicalCodec] = {
    codec.name: codec for codec in (JPEG, JPEG_2000, WEBP, AVIF, JPEG_XL, HEVC, VVC, VTM)
}
