"""What a header claims is held against free memory before any work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg import kernels, memory
from glic_pyg.cli.main import main
from glic_pyg.codec.api import decode, encode
from glic_pyg.codec.container import read_container, write_container
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.image_file import read_image
from glic_pyg.codec.latent_coder import coding_memory
from glic_pyg.codec.weights_store import load_shipped
from glic_pyg.errors import NotEnoughMemory


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """5 MB are free."""
    monkeypatch.setattr(memory, "free_memory", lambda device="cpu": 5_000_000)


@pytest.fixture
def no_work(codec: ImageCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work was begun")

    for name in ("g_a", "g_s", "code_latents"):
        monkeypatch.setattr(codec.model, name, work)


@pytest.mark.usefixtures("little", "no_work")
def test_what_does_not_fit_is_refused_before_the_work(codec: ImageCodec, pixels: np.ndarray) -> None:
    with pytest.raises(NotEnoughMemory, match="Encoding an image of 520x450 pixels needs about 23 MB"):
        codec.encode(np.tile(pixels, (5, 4, 1)))


@pytest.mark.usefixtures("little")
def test_a_claim_that_does_not_fit_is_refused(codec: ImageCodec, pixels: np.ndarray) -> None:
    data = codec.encode(pixels[:40, :40]).data
    assert codec.decode(data).array.shape == (40, 40, 3)
    container = read_container(data)
    for alpha, sides in ((False, (8000, 8000)), (False, (1, 60_000_000))):
        header = replace(container.header, width=sides[0], height=sides[1], alpha=alpha)
        with pytest.raises(NotEnoughMemory, match=f"Decoding an image of {sides[0]}x{sides[1]} pixels needs"):
            ImageCodec(codec.model, codec.name, codec.hash_prefix.hex(), max_pixels=1 << 40).decode(
                write_container(header, container.streams)
            )


@pytest.mark.usefixtures("little")
def test_images_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    Image.new("RGB", (3000, 3000)).save(tmp_path / "large.png")
    with pytest.raises(NotEnoughMemory, match="An image of 3000x3000 pixels needs about 72 MB"):
        read_image(tmp_path / "large.png")


def test_commands_and_api_refuse_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that does not fit does not keep the other from it."""
    for name, side in (("small", 32), ("large", 400)):
        Image.new("RGB", (side, side), (90, 40, 200)).save(tmp_path / f"{name}.png")
    files = {name: encode(Image.open(tmp_path / f"{name}.png")) for name in ("small", "large")}
    monkeypatch.setattr(memory, "free_memory", lambda device="cpu": 20_000_000)
    sources = [str(tmp_path / f"{name}.png") for name in ("large", "small")]
    assert main(["encode", *sources, "-o", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "large.png: Encoding an image of 400x400 pixels needs about" in said and "20 MB are free" in said
    assert (tmp_path / "small.glic").exists() and not (tmp_path / "large.glic").exists()
    with pytest.raises(NotEnoughMemory, match="Decoding an image of 400x400 pixels needs about"):
        decode(files["large"])
    assert decode(files["small"]).size == (32, 32)
    with pytest.raises(NotEnoughMemory, match="Encoding"):
        encode(Image.open(tmp_path / "large.png"))


def test_smaller_images_need_less(codec: ImageCodec) -> None:
    def needed(width: int, height: int, **options: bool) -> int:
        return coding_memory(codec.model, width, height, **{"decoding": True, **options})

    assert needed(16, 16) == needed(1, 1) > 0
    assert abs(needed(128, 64) - 2 * needed(64, 64)) <= 1
    assert needed(64, 64, decoding=False) < needed(64, 64)


def test_large_images_need_what_a_quarter_of_their_resolution_takes() -> None:
    model = load_shipped("glic_s").model
    for decoding in (False, True):
        small, large = (coding_memory(model, side, side, decoding=decoding) / side**2 for side in (512, 7072))
        assert large < 0.75 * small and 4e9 < 50e6 * large < 5.5e9


MEASURED = """
import numpy as np
from glic_pyg import runtime
runtime.prepare()
from glic_pyg.codec.latent_coder import coding_memory
from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.evaluation.peak_memory import added_memory
codec = codec_for_encoding("glic_xs", None)
image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
large = np.kron(image, np.ones((16, 16, 1), np.uint8))
data = codec.encode(large).data
for decoding, work in ((False, lambda: codec.encode(large)), (True, lambda: codec.decode(data))):
    print(added_memory(work), coding_memory(codec.model, 512, 384, decoding=decoding))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is not known")
def test_the_estimate_is_what_is_needed_and_never_more() -> None:
    """In a process of its own: what other tests have allocated would be measured as well.

    Without the C library torch's operators take more.
    """
    least = 0.4 if kernels.available() else 0.2
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        held, estimate = map(int, line.split())
        assert least * held < estimate < 1.05 * held
