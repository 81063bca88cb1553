"""JPEG, WebP, JPEG 2000, AVIF and JPEG XL, as written by Pillow and its plugin for JPEG XL."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata

import numpy as np
import PIL
from PIL import Image, features

from glic_pyg.codec.image_file import encode_image
from glic_pyg.codec.pillow import open_image, pillow_errors
from glic_pyg.types import Pixels

__all__ = ["AVIF", "JPEG", "JPEG_2000", "JPEG_XL", "WEBP", "WEBP_LOSSLESS", "PillowCodec"]


@dataclass(frozen=True)
class PillowCodec:
    """A format of Pillow; see :class:`~glic_pyg.evaluation.baselines.base.Baseline`.

    Attributes:
        kind: Pillow's name of the format.
        options: keyword arguments of ``Image.save`` at a setting.
        needs: feature of Pillow, or module of a plugin, that writes the format.
        install: what to install to get it.
    """

    name: str
    title: str
    suffix: str
    word: str
    settings: Sequence[int]
    sweep: Sequence[int]
    kind: str
    options: Callable[[int], dict[str, object]]
    needs: str
    install: str

    def missing(self) -> str | None:
        """What to install, if the format is not supported here."""
        if self.needs in features.get_supported() or importlib.util.find_spec(self.needs):
            return None
        return self.install

    def version(self) -> str:
        """Pillow and the library inside it, or the plugin."""
        if self._is_plugin():
            plugin = metadata.packages_distributions()[self.needs][0]
            return f"{plugin} {metadata.version(plugin)}"
        library = "libjpeg_turbo" if self.needs == "jpg" else self.needs
        return f"Pillow {PIL.__version__}, {library} {features.version(library)}"

    def invocation(self, setting: int) -> str:
        """The format and its keyword arguments."""
        return f"{self.kind} {self.options(setting)}"

    def encode(self, pixels: Pixels, setting: int) -> bytes:
        """Save as this format.

        Raises:
            GlicError: the format cannot hold an image of this size.
        """
        with pillow_errors([], f"{self.title} cannot hold the image"):
            self._register()
            return encode_image(Image.fromarray(pixels), self.kind, **self.options(setting))

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Pixels:
        """Read a file of any format of Pillow."""
        self._register()
        with pillow_errors([]), open_image(io.BytesIO(data), None) as image:
            return np.array(image.convert("L" if len(shape) == 2 else "RGB"))

    def _register(self) -> None:
        """Import the plugin of the format, if it has one: that registers it with Pillow."""
        if self._is_plugin():
            importlib.import_module(self.needs)

    def _is_plugin(self) -> bool:
        return self.needs not in features.features | features.codecs | features.modules


JPEG = PillowCodec(
    "jpeg", "JPEG", ".jpg", "quality", range(1, 101), (3, 6, 9, 13, 18, 25, 35, 50, 70, 85),
    "JPEG", lambda quality: {"quality": quality, "subsampling": 0, "optimize": True},
    "jpg", "a Pillow with libjpeg",
)  # fmt: skip
"""Baseline, 4:4:4, with optimised Huffman tables (of noise, which Pillow cannot optimise, the usual ones)."""

WEBP = PillowCodec(
    "webp", "WebP", ".webp", "quality", range(0, 101), (0, 4, 10, 18, 30, 45, 65, 80, 92),
    "WEBP", lambda quality: {"quality": quality, "method": 6},
    "webp", "a Pillow with libwebp",
)  # fmt: skip
"""Lossy, at the slowest and best ``method``; 4:2:0, the only sampling that the format has."""

WEBP_LOSSLESS = PillowCodec(
    "webp-lossless", "WebP without loss", ".webp", "effort", range(0, 101), (50,),
    "WEBP", lambda effort: {"lossless": True, "quality": effort, "method": 2},
    "webp", "a Pillow with libwebp",
)  # fmt: skip
"""Lossless, so it has no rate-distortion curve and is none of the :data:`BASELINES`."""

_WAVELET: dict[str, object] = {"irreversible": True, "mct": 1, "no_jp2": True}

JPEG_2000 = PillowCodec(
    "jpeg2000", "JPEG 2000", ".jp2", "ratio", range(400, 2, -1), (240, 160, 100, 64, 42, 28, 20, 14, 10),
    "JPEG2000",
    lambda ratio: {"quality_mode": "rates", "quality_layers": [ratio], **_WAVELET},
    "jpg_2000", "a Pillow with OpenJPEG",
)  # fmt: skip
"""The 9/7 wavelet on decorrelated colours (Pillow leaves both off), one layer, a bare codestream.

The setting is the compression ratio: 24 bits per pixel over the bits spent.
"""

AVIF = PillowCodec(
    "avif", "AVIF", ".avif", "quality", range(0, 101), (5, 15, 25, 35, 45, 55, 65, 75, 85),
    "AVIF", lambda quality: {"quality": quality, "subsampling": "4:4:4", "speed": 6},
    "avif", "Pillow 11.3 or newer with libavif",
)  # fmt: skip
"""AV1 intra, 4:4:4, at Pillow's own speed, 6 of 0 (slow) to 10."""

JPEG_XL = PillowCodec(
    "jpegxl", "JPEG XL", ".jxl", "quality", range(1, 100), (5, 12, 20, 30, 42, 55, 68, 80, 90),
    "JXL", lambda quality: {"quality": quality, "effort": 7},
    "pillow_jxl", "pip install 'glic-pyg[classical]' (pillow-jxl-plugin)",
)  # fmt: skip
"""Lossy VarDCT in XYB, effort 7."""
