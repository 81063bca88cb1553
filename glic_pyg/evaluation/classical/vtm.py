"""VVC intra by VTM, the reference software, where the user has built it."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from glic_pyg.evaluation.classical.contract import Pixels
from glic_pyg.evaluation.classical.tool import run_tool
from glic_pyg.evaluation.classical.ycbcr import rgb_from_frame, ycbcr_frame

__all__ = ["FOLDER", "VTM", "VtmCodec"]

FOLDER = "GLIC_VTM"
"""Environment variable: the folder of VVCSoftware_VTM, with ``bin/`` and ``cfg/encoder_intra_vtm.cfg``."""
_BITS = 8
_OPTIONS = (
    "-fr", "1", "-f", "1", f"--InputBitDepth={_BITS}", "--InputChromaFormat=444", "--ConformanceWindowMode=1",
)  # fmt: skip


@dataclass(frozen=True)
class VtmCodec:
    """4:4:4, 8 bits, BT.709 and the intra configuration, as the published VTM-9.1 points were made.

    See :class:`~glic_pyg.evaluation.classical.contract.ClassicalCodec`. It takes minutes an image.
    """

    name: str = "vtm"
    title: str = "VTM"
    suffix: str = ".vvc"
    word: str = "QP"
    settings: Sequence[int] = range(63, -1, -1)
    ladder: Sequence[int] = (47, 42, 37, 32, 27, 22)

    def missing(self) -> str | None:
        """What to set, if VTM is not where the environment says."""
        paths = (_program("Encoder"), _program("Decoder"), _config())
        if all(path and path.is_file() for path in paths):
            return None
        return f"VTM, built by you, with {FOLDER} set to its folder"

    def version(self) -> str:
        """What the encoder says of itself, and when it was built: people change it."""
        program = _program("Encoder")
        if program is None or not program.is_file():
            return "VTM"
        said = subprocess.run([str(program)], capture_output=True, text=True, check=False)
        first = next((line.strip() for line in said.stdout.splitlines() if line.strip()), "VTM")
        return f"{first}, built {datetime.date.fromtimestamp(program.stat().st_mtime).isoformat()}"

    def called(self, setting: int) -> str:
        """The encoder's options, those about files left out."""
        return " ".join(["encoder_intra_vtm.cfg", "-q", str(setting), *_OPTIONS])

    def encode(self, pixels: Pixels, setting: int) -> bytes:
        """One intra frame as a bitstream."""
        height, width = pixels.shape[:2]
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "frame.yuv"), Path(folder, "coded")
            source.write_bytes(ycbcr_frame(pixels, bits=_BITS, halved=False))
            run_tool([
                str(_program("Encoder")), "-c", str(_config()), "-i", str(source), "-b", str(target),
                "-o", os.devnull, "-q", str(setting), "-wdt", str(width), "-hgt", str(height),
                *_OPTIONS,
            ])  # fmt: skip
            return target.read_bytes()

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Pixels:
        """The frame of a bitstream."""
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "coded"), Path(folder, "frame.yuv")
            source.write_bytes(data)
            run_tool([str(_program("Decoder")), "-b", str(source), "-o", str(target), "-d", str(_BITS)])
            return rgb_from_frame(target.read_bytes(), shape, bits=_BITS, halved=False)


VTM = VtmCodec()


def _program(which: str) -> Path | None:
    folder = os.environ.get(FOLDER)
    return Path(folder, "bin", f"{which}AppStatic") if folder else None


def _config() -> Path | None:
    folder = os.environ.get(FOLDER)
    return Path(folder, "cfg", "encoder_intra_vtm.cfg") if folder else None
