from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines import video
from glic_pyg.evaluation.baselines.base import ToolFailed
from glic_pyg.evaluation.baselines.video import (
    HEVC,
    VTM,
    VTM_FOLDER,
    VVC,
    FfmpegCodec,
    frame_size,
    rgb_from_frame,
    ycbcr_frame,
)
from glic_pyg.evaluation.peak_memory import PeakMemory

Pixels = NDArray[np.uint8]


def here(codec: FfmpegCodec) -> FfmpegCodec:
    if codec.missing():
        pytest.skip(f"{codec.title} needs {codec.missing()}")
    return codec


@pytest.mark.parametrize(("codec", "error"), [(HEVC, 1.0), (VVC, 6.0)], ids=["hevc", "vvc"])
def test_ffmpeg_there_and_back(codec: FfmpegCodec, error: float, pixels: Pixels) -> None:
    """A wrong range of samples or a wrong matrix would be off by far more."""
    odd = pixels[:47, :63]
    sizes = []
    for qp in (40, 4):
        with PeakMemory() as memory:
            data = here(codec).encode(odd, qp)
        sizes.append(len(data))
    back = codec.decode(data, odd.shape)
    assert sizes[0] < sizes[1] / 3
    assert back.shape == odd.shape and np.abs(back.astype(int) - odd).mean() < error
    assert memory.bytes is not None and 10**6 < memory.bytes < 10**10


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "ffmpeg", lambda: None)
    assert str(HEVC.missing()).startswith("ffmpeg, or pip install")
    monkeypatch.setattr(video, "ffmpeg", lambda: "ffmpeg")
    monkeypatch.setattr(video, "_encoders", lambda program: frozenset({"libx265"}))
    assert HEVC.missing() is None and "libvvenc" in str(VVC.missing())


def test_a_damaged_file_is_one_sentence() -> None:
    with pytest.raises(ToolFailed, match="failed: "):
        here(HEVC).decode(b"no bitstream", (48, 64, 3))


PROGRAM = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in -i|-b|-o) eval "arg_${1#-}=\\$2"; shift;; esac; shift
done
if [ -n "$arg_i" ]; then cp "$arg_i" "$arg_b"; else cp "$arg_b" "$arg_o"; fi
"""
"""Stands in for both programs of VTM: copies frames."""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "encoder_intra_vtm.cfg").touch()
    for which in ("Encoder", "Decoder"):
        program = tmp_path / "bin" / f"{which}AppStatic"
        program.write_text(PROGRAM)
        program.chmod(0o755)
    monkeypatch.setenv(VTM_FOLDER, str(tmp_path))


@pytest.mark.usefixtures("stand_in")
def test_vtm_there_and_back(pixels: NDArray[np.uint8]) -> None:
    assert VTM.missing() is None
    data = VTM.encode(pixels, 32)
    assert len(data) == 3 * 48 * 64
    assert np.abs(VTM.decode(data, pixels.shape).astype(int) - pixels).max() <= 2


def test_vtm_is_missing_until_the_user_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VTM_FOLDER, raising=False)
    assert f"{VTM_FOLDER} set to its folder" in str(VTM.missing())
    monkeypatch.setenv(VTM_FOLDER, str(tmp_path))
    assert VTM.missing() is not None


@pytest.mark.parametrize("grey", [False, True])
def test_ten_bits_and_all_chroma_lose_nothing(pixels: Pixels, grey: bool) -> None:
    original = pixels[:, :, 0] if grey else pixels
    frame = ycbcr_frame(original, bits=10, subsampled=False)
    assert len(frame) == 3 * 2 * 48 * 64
    assert np.array_equal(rgb_from_frame(frame, original.shape, bits=10, subsampled=False), original)


def test_eight_bits_lose_a_rounding(pixels: Pixels) -> None:
    frame = ycbcr_frame(pixels, bits=8, subsampled=False)
    back = rgb_from_frame(frame, pixels.shape, bits=8, subsampled=False)
    assert 0 < np.abs(back.astype(int) - pixels).max() <= 2


def test_subsampled_chroma_of_odd_sides(pixels: Pixels) -> None:
    odd = pixels[:47, :63]
    frame = ycbcr_frame(odd, bits=10, subsampled=True)
    assert frame_size(odd.shape, subsampled=True) == (64, 48) and len(frame) == 2 * 48 * 64 * 3 // 2
    back = rgb_from_frame(frame, odd.shape, bits=10, subsampled=True)
    assert back.shape == odd.shape and np.abs(back.astype(int) - odd).mean() < 6


def test_known_colours() -> None:
    colours = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]]], np.uint8)
    luma, blue, red = np.frombuffer(ycbcr_frame(colours, bits=8, subsampled=False), np.uint8).reshape(3, 4)
    assert luma.tolist() == [255, 0, 54, 18]
    assert blue.tolist() == [128, 128, 99, 255] and red.tolist() == [128, 128, 255, 116]
