"""Video codecs on a single intra frame: HEVC (x265) and VVC (VVenC) by ffmpeg, VVC by the reference VTM.

They take YCbCr frames: BT.709, full range.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.evaluation.baselines.base import run_tool
from glic_pyg.types import Pixels

__all__ = [
    "HEVC",
    "VTM",
    "VTM_FOLDER",
    "VVC",
    "FfmpegCodec",
    "VtmCodec",
    "ffmpeg",
    "frame_size",
    "rgb_from_frame",
    "ycbcr_frame",
]


_FFMPEG_BITS = 10
_QUIET = ("-hide_banner", "-loglevel", "error", "-nostdin", "-y")


@dataclass(frozen=True)
class FfmpegCodec:
    """A video codec on one frame; see :class:`~glic_pyg.evaluation.baselines.base.Baseline`.

    Frames have 10 bits per sample. Their full range is not declared, or ffmpeg would convert it. Timings
    include starting the program and its reading and writing of frames.

    Attributes:
        encoder: ffmpeg's name of the encoder.
        container: ffmpeg's name of the raw bitstream.
        subsampled: use 4:2:0 instead of 4:4:4.
        options: further options of the encoder.
    """

    name: str
    title: str
    suffix: str
    settings: Sequence[int]
    sweep: Sequence[int]
    encoder: str
    container: str
    subsampled: bool
    options: tuple[str, ...]
    word: str = "QP"

    def missing(self) -> str | None:
        """What to install, if there is no ffmpeg or it lacks the encoder."""
        program = ffmpeg()
        if program is None:
            return "ffmpeg, or pip install 'glic-pyg[classical]' (imageio-ffmpeg)"
        if self.encoder not in _encoders(program):
            return f"an ffmpeg with {self.encoder}, such as pip install 'glic-pyg[classical]' brings"
        return None

    def version(self) -> str:
        """The version of ffmpeg, which does not report those of its libraries."""
        return _version(ffmpeg() or "ffmpeg")

    def invocation(self, setting: int) -> str:
        """The options of ffmpeg, without those about files."""
        return " ".join((*self._raw(), *self._encoder(setting)))

    def encode(self, pixels: Pixels, setting: int) -> bytes:
        """Encode one intra frame as a raw bitstream."""
        frame = ycbcr_frame(pixels, bits=_FFMPEG_BITS, subsampled=self.subsampled)
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "frame.yuv"), Path(folder, "coded")
            source.write_bytes(frame)
            size = "{}x{}".format(*frame_size(pixels.shape, subsampled=self.subsampled))
            self._run(
                [*self._raw(), "-s", size, "-i", str(source), "-frames:v", "1"],
                [*self._encoder(setting), "-f", self.container, str(target)],
            )
            return target.read_bytes()

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Pixels:
        """Decode the frame of a bitstream and crop it to the shape."""
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "coded"), Path(folder, "frame.yuv")
            source.write_bytes(data)
            self._run(["-f", self.container, "-i", str(source)], [*self._raw(), str(target)])
            return rgb_from_frame(target.read_bytes(), shape, bits=_FFMPEG_BITS, subsampled=self.subsampled)

    def _raw(self) -> list[str]:
        return ["-f", "rawvideo", "-pix_fmt", f"yuv{420 if self.subsampled else 444}p10le"]

    def _encoder(self, setting: int) -> list[str]:
        return ["-c:v", self.encoder, "-qp", str(setting), *self.options]

    def _run(self, *parts: list[str]) -> None:
        run_tool([ffmpeg() or "ffmpeg", *_QUIET, *(word for part in parts for word in part)])


HEVC = FfmpegCodec(
    "hevc", "HEVC intra (x265)", ".265", range(51, -1, -1), (46, 40, 34, 29, 24, 19),
    "libx265", "hevc", False,
    ("-preset", "slow", "-tune", "psnr", "-x265-params", "keyint=1:info=0:log-level=error"),
)  # fmt: skip
"""4:4:4, 10 bits, constant QP, preset slow tuned for PSNR, without x265's own description in the file."""

VVC = FfmpegCodec(
    "vvc", "VVC intra (VVenC)", ".266", range(63, -1, -1), (46, 40, 34, 28, 22),
    "libvvenc", "vvc", True, ("-preset", "medium", "-qpa", "0"),
)  # fmt: skip
"""4:2:0, the only sampling of VVenC, 10 bits, constant QP, preset medium, no perceptual optimisation.

Subsampled chroma bounds the PSNR of RGB at high rates: VTM codes 4:4:4 and has no such bound.
"""


@lru_cache(maxsize=1)
def ffmpeg() -> str | None:
    """Path of the ffmpeg to use: of imageio-ffmpeg, which has both encoders, or else the one on the PATH."""
    if importlib.util.find_spec("imageio_ffmpeg"):
        import imageio_ffmpeg

        try:
            return str(imageio_ffmpeg.get_ffmpeg_exe())
        except RuntimeError:  # it was installed without its binary
            pass
    return shutil.which("ffmpeg")


@lru_cache(maxsize=4)
def _version(program: str) -> str:
    """The first line of ``ffmpeg -version``, without its copyright."""
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    return said.stdout.partition(" Copyright")[0].strip()


@lru_cache(maxsize=4)
def _encoders(program: str) -> frozenset[str]:
    """Names of the encoders in an ffmpeg."""
    said = subprocess.run([program, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)
    return frozenset(words[1] for words in map(str.split, said.stdout.splitlines()) if len(words) > 1)


VTM_FOLDER = "GLIC_VTM"
"""Environment variable: the folder of VVCSoftware_VTM, with ``bin/`` and ``cfg/encoder_intra_vtm.cfg``."""
_VTM_BITS = 8
_VTM_OPTIONS = (
    "-fr", "1", "-f", "1",
    f"--InputBitDepth={_VTM_BITS}", "--InputChromaFormat=444", "--ConformanceWindowMode=1",
)  # fmt: skip


@dataclass(frozen=True)
class VtmCodec:
    """4:4:4, 8 bits, BT.709 and the intra configuration, as the published VTM-9.1 points were made.

    See :class:`~glic_pyg.evaluation.baselines.base.Baseline`. It takes minutes per image.
    """

    name: str = "vtm"
    title: str = "VTM"
    suffix: str = ".vvc"
    word: str = "QP"
    settings: Sequence[int] = range(63, -1, -1)
    sweep: Sequence[int] = (47, 42, 37, 32, 27, 22)

    def missing(self) -> str | None:
        """What to set, if VTM is not where the environment variable points."""
        paths = (_vtm_program("Encoder"), _vtm_program("Decoder"), _vtm_config())
        if all(path and path.is_file() for path in paths):
            return None
        return f"VTM, built by you, with {VTM_FOLDER} set to its folder"

    def version(self) -> str:
        """The first line of the encoder's output and the date of its build, since people modify VTM."""
        program = _vtm_program("Encoder")
        if program is None or not program.is_file():
            return "VTM"
        said = subprocess.run([str(program)], capture_output=True, text=True, check=False)
        first = next((line.strip() for line in said.stdout.splitlines() if line.strip()), "VTM")
        return f"{first}, built {datetime.date.fromtimestamp(program.stat().st_mtime).isoformat()}"

    def invocation(self, setting: int) -> str:
        """The options of the encoder, without those about files."""
        return " ".join(["encoder_intra_vtm.cfg", "-q", str(setting), *_VTM_OPTIONS])

    def encode(self, pixels: Pixels, setting: int) -> bytes:
        """Encode one intra frame as a bitstream."""
        height, width = pixels.shape[:2]
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "frame.yuv"), Path(folder, "coded")
            source.write_bytes(ycbcr_frame(pixels, bits=_VTM_BITS, subsampled=False))
            run_tool([
                str(_vtm_program("Encoder")), "-c", str(_vtm_config()), "-i", str(source), "-b", str(target),
                "-o", os.devnull, "-q", str(setting), "-wdt", str(width), "-hgt", str(height),
                *_VTM_OPTIONS,
            ])  # fmt: skip
            return target.read_bytes()

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Pixels:
        """Decode the frame of a bitstream."""
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "coded"), Path(folder, "frame.yuv")
            source.write_bytes(data)
            command = [
                str(_vtm_program("Decoder")),
                "-b",
                str(source),
                "-o",
                str(target),
                "-d",
                str(_VTM_BITS),
            ]
            run_tool(command)
            return rgb_from_frame(target.read_bytes(), shape, bits=_VTM_BITS, subsampled=False)


VTM = VtmCodec()


def _vtm_program(which: str) -> Path | None:
    folder = os.environ.get(VTM_FOLDER)
    return Path(folder, "bin", f"{which}AppStatic") if folder else None


def _vtm_config() -> Path | None:
    folder = os.environ.get(VTM_FOLDER)
    return Path(folder, "cfg", "encoder_intra_vtm.cfg") if folder else None


_RED, _BLUE = 0.2126, 0.0722
_CB, _CR = 2 * (1 - _BLUE), 2 * (1 - _RED)


def ycbcr_frame(pixels: Pixels, *, bits: int, subsampled: bool) -> bytes:
    """Convert RGB to one planar YCbCr frame, little endian, two bytes per sample if ``bits`` is more than 8.

    Args:
        pixels: uint8 (H, W, 3), or (H, W) which is repeated.
        bits: per sample.
        subsampled: 4:2:0 instead of 4:4:4, by Pillow's bicubic filter; odd sides are padded by repeating the
            last line.
    """
    rgb = (np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels).astype(np.float64) / 255
    if subsampled:
        rgb = np.pad(rgb, [(0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)], mode="edge")
    luma = rgb @ [_RED, 1 - _RED - _BLUE, _BLUE]
    chroma = [(rgb[..., 2] - luma) / _CB + _grey(bits), (rgb[..., 0] - luma) / _CR + _grey(bits)]
    if subsampled:
        chroma = [_resized(plane, luma.shape[0] // 2, luma.shape[1] // 2) for plane in chroma]
    return b"".join(_samples(plane, bits) for plane in (luma, *chroma))


def rgb_from_frame(frame: bytes, shape: tuple[int, ...], *, bits: int, subsampled: bool) -> Pixels:
    """Convert a frame of :func:`ycbcr_frame` back to uint8 RGB or grey of this shape, (H, W, 3) or (H, W)."""
    width, height = frame_size(shape, subsampled=subsampled)
    samples = np.frombuffer(frame, _type(bits)).astype(np.float64) / (2**bits - 1)
    luma = samples[: width * height].reshape(height, width)
    factor = 2 if subsampled else 1
    chroma = samples[width * height :].reshape(2, height // factor, width // factor)
    blue, red = ((_resized(plane, height, width) if subsampled else plane) - _grey(bits) for plane in chroma)
    r, b = luma + _CR * red, luma + _CB * blue
    g = (luma - _RED * r - _BLUE * b) / (1 - _RED - _BLUE)
    rgb = (np.dstack([r, g, b]) * 255).clip(0, 255).round().astype(np.uint8)[: shape[0], : shape[1]]
    return rgb if len(shape) == 3 else rgb[..., 1]


def frame_size(shape: tuple[int, ...], *, subsampled: bool) -> tuple[int, int]:
    """Width and height of the frame of an image of this shape; both are even for 4:2:0."""
    height, width = shape[:2]
    return (width + width % 2, height + height % 2) if subsampled else (width, height)


def _samples(plane: NDArray[np.float64], bits: int) -> bytes:
    return (plane * (2**bits - 1)).clip(0, 2**bits - 1).round().astype(_type(bits)).tobytes()


def _grey(bits: int) -> float:
    """Chroma of a grey pixel: 2^(bits-1) of 2^bits - 1."""
    return 2 ** (bits - 1) / (2**bits - 1)


def _type(bits: int) -> str:
    return "<u2" if bits > 8 else "u1"


def _resized(plane: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float64)
