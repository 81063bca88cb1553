"""Codecs to compare with: image formats by Pillow, and video codecs on one frame."""

from __future__ import annotations

from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.baselines.pillow import AVIF, JPEG, JPEG_2000, JPEG_XL, WEBP
from glic_pyg.evaluation.baselines.video import HEVC, VTM, VVC

__all__ = ["BASELINES"]

BASELINES: dict[str, Baseline] = {
    codec.name: codec for codec in (JPEG, JPEG_2000, WEBP, AVIF, JPEG_XL, HEVC, VVC, VTM)
}
"""By the name that options and files use."""
