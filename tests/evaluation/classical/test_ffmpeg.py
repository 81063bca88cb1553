import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.classical import ffmpeg as module
from glic_pyg.evaluation.classical.ffmpeg import HEVC, VVC, FfmpegCodec
from glic_pyg.evaluation.classical.tool import ToolFailed
from glic_pyg.evaluation.peak_memory import PeakMemory

Pixels = NDArray[np.uint8]


def here(codec: FfmpegCodec) -> FfmpegCodec:
    if codec.missing():
        pytest.skip(f"{codec.title} needs {codec.missing()}")
    return codec


@pytest.mark.parametrize(("codec", "error"), [(HEVC, 1.0), (VVC, 6.0)], ids=["hevc", "vvc"])
def test_there_and_back(codec: FfmpegCodec, error: float, picture: Pixels) -> None:
    """A wrong range of samples or a wrong matrix would be off by far more."""
    odd = picture[:47, :63]
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
    monkeypatch.setattr(module, "ffmpeg", lambda: None)
    assert str(HEVC.missing()).startswith("ffmpeg, or pip install")
    monkeypatch.setattr(module, "ffmpeg", lambda: "ffmpeg")
    monkeypatch.setattr(module, "_encoders", lambda program: frozenset({"libx265"}))
    assert HEVC.missing() is None and "libvvenc" in str(VVC.missing())


def test_a_damaged_file_is_one_sentence() -> None:
    with pytest.raises(ToolFailed, match="failed: "):
        here(HEVC).decode(b"no bitstream", (48, 64, 3))
