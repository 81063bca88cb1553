"""HEVC intra by x265 and VVC intra by VVenC, both through ffmpeg."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from glic_pyg.evaluation.classical.contract import Pixels
from glic_pyg.evaluation.classical.tool import run_tool
from glic_pyg.evaluation.classical.ycbcr import frame_size, rgb_from_frame, ycbcr_frame

__all__ = ["HEVC", "VVC", "FfmpegCodec", "ffmpeg"]

_BITS = 10
_QUIET = ("-hide_banner", "-loglevel", "error", "-nostdin", "-y")


@dataclass(frozen=True)
class FfmpegCodec:
    """A video codec on one frame; see :class:`~glic_pyg.evaluation.classical.contract.ClassicalCodec`.

    Frames have 10 bits a sample; that their range is full is left unsaid, or ffmpeg would convert it.
    Seconds include starting the program and its reading and writing of frames.

    Attributes:
        encoder: ffmpeg's name of the encoder.
        container: ffmpeg's name of the raw bitstream.
        halved: the encoder knows 4:2:0 only, not 4:4:4.
        options: more of the encoder.
    """

    name: str
    title: str
    suffix: str
    settings: Sequence[int]
    ladder: Sequence[int]
    encoder: str
    container: str
    halved: bool
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
        """That of ffmpeg, which does not tell its libraries' ones."""
        return _version(ffmpeg() or "ffmpeg")

    def called(self, setting: int) -> str:
        """ffmpeg's options, those about files left out."""
        return " ".join((*self._raw(), *self._encoder(setting)))

    def encode(self, pixels: Pixels, setting: int) -> bytes:
        """One intra frame as a raw bitstream."""
        frame = ycbcr_frame(pixels, bits=_BITS, halved=self.halved)
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "frame.yuv"), Path(folder, "coded")
            source.write_bytes(frame)
            size = "{}x{}".format(*frame_size(pixels.shape, halved=self.halved))
            self._run(
                [*self._raw(), "-s", size, "-i", str(source), "-frames:v", "1"],
                [*self._encoder(setting), "-f", self.container, str(target)],
            )
            return target.read_bytes()

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Pixels:
        """The frame of a bitstream, cropped to the shape."""
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "coded"), Path(folder, "frame.yuv")
            source.write_bytes(data)
            self._run(["-f", self.container, "-i", str(source)], [*self._raw(), str(target)])
            return rgb_from_frame(target.read_bytes(), shape, bits=_BITS, halved=self.halved)

    def _raw(self) -> list[str]:
        return ["-f", "rawvideo", "-pix_fmt", f"yuv{420 if self.halved else 444}p10le"]

    def _encoder(self, setting: int) -> list[str]:
        return ["-c:v", self.encoder, "-qp", str(setting), *self.options]

    def _run(self, *parts: list[str]) -> None:
        run_tool([ffmpeg() or "ffmpeg", *_QUIET, *(word for part in parts for word in part)])


HEVC = FfmpegCodec(
    "hevc", "HEVC intra (x265)", ".265", range(51, -1, -1), (46, 40, 34, 29, 24, 19),
    "libx265", "hevc", False,
    ("-preset", "slow", "-tune", "psnr", "-x265-params", "keyint=1:info=0:log-level=error"),
)  # fmt: skip
"""4:4:4, 10 bits, constant QP, preset slow tuned for PSNR, no text about the encoder in the file."""

VVC = FfmpegCodec(
    "vvc", "VVC intra (VVenC)", ".266", range(63, -1, -1), (46, 40, 34, 28, 22),
    "libvvenc", "vvc", True, ("-preset", "medium", "-qpa", "0"),
)  # fmt: skip
"""4:2:0, all that VVenC knows, 10 bits, constant QP, preset medium, without its perceptual optimisation.

Halved chroma bounds the PSNR of RGB at high rates: VTM codes 4:4:4 and does not have that bound.
"""


@lru_cache(maxsize=1)
def ffmpeg() -> str | None:
    """The ffmpeg to use: that of imageio-ffmpeg, which has both encoders, else that of the path."""
    if importlib.util.find_spec("imageio_ffmpeg"):
        import imageio_ffmpeg

        try:
            return str(imageio_ffmpeg.get_ffmpeg_exe())
        except RuntimeError:  # it was installed without its binary
            pass
    return shutil.which("ffmpeg")


@lru_cache(maxsize=4)
def _version(program: str) -> str:
    """The words of an ffmpeg's first line before those about its makers."""
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    return said.stdout.partition(" Copyright")[0].strip()


@lru_cache(maxsize=4)
def _encoders(program: str) -> frozenset[str]:
    """Names of the encoders that an ffmpeg has."""
    said = subprocess.run([program, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)
    return frozenset(words[1] for words in map(str.split, said.stdout.splitlines()) if len(words) > 1)
