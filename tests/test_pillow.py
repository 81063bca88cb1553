"""Pillow opens and saves .glic files after ``import glic_pyg.pillow``."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

import glic_pyg
import glic_pyg.pillow
from glic_pyg.errors import GlicError

ROOT = Path(__file__).parents[1]
CODED = ROOT / "tests" / "reference" / "dog_s.glic"


@pytest.fixture(scope="module")
def crop() -> Image.Image:
    image = Image.open(ROOT / "data" / "samples" / "dog.png").convert("RGB").crop((200, 200, 296, 264))
    exif = image.getexif()
    exif[0x010E] = "a dog"
    image.info["exif"] = exif.tobytes()
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return image


def test_there_and_back(crop: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "crop.glic"
    crop.save(path, quality=60, optimize=True)
    assert path.read_bytes() == glic_pyg.encode(crop, quality=60)
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == ("GLIC", (96, 64), "RGB")
        assert image.info["quality"] == 60 and image.info["icc_profile"] == crop.info["icc_profile"]
        assert image.getexif()[0x010E] == "a dog"
        assert np.array_equal(np.asarray(image), np.asarray(glic_pyg.decode(path)))
        again = io.BytesIO()
        image.save(again, "GLIC", target_bpp=0.4, exif=b"", icc_profile=None)
    with Image.open(again) as image:
        assert "icc_profile" not in image.info and not image.getexif()
        assert 0.3 <= len(again.getvalue()) * 8 / (96 * 64) <= 0.4
    assert Image.MIME["GLIC"] == "image/x-glic"


def test_grey_with_alpha(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 2), dtype=np.uint8)
    Image.fromarray(pixels, "LA").save(tmp_path / "grey.glic", quality=10)
    with Image.open(tmp_path / "grey.glic") as image:
        assert image.mode == "LA"
        assert np.array_equal(np.asarray(image)[..., 1], pixels[..., 1])


def test_opening_needs_neither_torch_nor_weights() -> None:
    code = f"""
import sys
from PIL import Image
import glic_pyg.pillow
image = Image.open({str(CODED)!r})
assert image.size == (576, 576) and image.info["model"] == "glic_s" and "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_threads_open_save_and_decode_at_once(crop: Image.Image) -> None:
    expected = glic_pyg.encode(crop, quality=30)
    pixels = np.asarray(glic_pyg.decode(expected))
    failures: list[object] = []

    def work() -> None:
        try:
            file = io.BytesIO()
            crop.copy().save(file, "GLIC", quality=30)
            if file.getvalue() != expected or not np.array_equal(np.asarray(Image.open(file)), pixels):
                failures.append("other bytes or pixels")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_what_is_wrong_is_said(crop: Image.Image, tmp_path: Path) -> None:
    data = CODED.read_bytes()
    with pytest.raises(OSError, match="8812 of its 8822 bytes"):
        Image.open(io.BytesIO(data[:-10]))
    with pytest.raises(OSError, match="checksum"):
        Image.open(io.BytesIO(data[:-1] + bytes([data[-1] ^ 1])))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"no image at all, and long enough to look at"))
    with pytest.raises(GlicError, match="quality"):
        crop.save(tmp_path / "crop.glic", quality=101)
    assert not (tmp_path / "crop.glic").exists()
