from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.classical import decode_classical, jpeg, jpeg_at_least
from glic_pyg.evaluation.measure import compare_image, planes, quality_of
from glic_pyg.evaluation.psnr import psnr

Pixels = NDArray[np.uint8]


@dataclass
class File:
    data: bytes
    estimated_bits: float | None


@dataclass
class Picture:
    array: Pixels


class JpegInDisguise:
    """A codec whose numbers can be known otherwise."""

    name = "disguise"

    def encode(self, source: Pixels, *, estimate: bool = False) -> File:
        data = jpeg(source, 40)
        return File(data, 8.0 * len(data) if estimate else None)

    def decode(self, data: bytes) -> Picture:
        return Picture(decode_classical(data, grey=False))


def test_ours_is_measured_from_the_file(picture: Pixels, tmp_path: Path) -> None:
    got = compare_image(JpegInDisguise(), "soft", picture, tmp_path)
    data = (tmp_path / "soft.glic").read_bytes()
    decoded = decode_classical(data, grey=False)
    assert (got.image, got.width, got.height) == ("soft", 64, 48)
    assert (got.ours.codec, got.ours.setting, got.ours.size) == ("glic", "disguise", len(data))
    assert got.ours.bpp == pytest.approx(8 * len(data) / (64 * 48))
    assert got.ours.quality.psnr == psnr(planes(decoded), planes(picture)).item()
    assert got.estimated_bits == 8 * len(data)


def test_the_others_spend_the_same(picture: Pixels, tmp_path: Path) -> None:
    got = compare_image(JpegInDisguise(), "soft", picture, tmp_path)
    ours, jpeg_file, webp_file = got.codecs
    data, quality = jpeg_at_least(picture, ours.size)
    assert (tmp_path / "soft.jpg").read_bytes() == data
    assert (jpeg_file.setting, jpeg_file.size) == (f"quality {quality}", len(data))
    assert jpeg_file.quality == quality_of(decode_classical(data, grey=False), picture)
    assert webp_file.size == (tmp_path / "soft.webp").stat().st_size
    assert abs(webp_file.size - ours.size) < 0.1 * ours.size
    assert all(m.encode_seconds > 0 and m.decode_seconds > 0 for m in got.codecs)


def test_what_lies_in_the_file_is_decoded(
    picture: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A codec that remembered what it encoded would not notice that the file changed."""
    other = jpeg(255 - picture, 40)
    monkeypatch.setattr(Path, "read_bytes", lambda self: other)
    assert compare_image(JpegInDisguise(), "soft", picture, tmp_path).ours.quality.psnr < 15


def test_ms_ssim_where_it_is_possible(picture: Pixels, large_picture: Pixels) -> None:
    assert quality_of(picture, picture).ms_ssim is None
    assert quality_of(picture, picture).ms_ssim_db is None
    large = quality_of(decode_classical(jpeg(large_picture, 30), grey=False), large_picture)
    assert large.ms_ssim is not None and 0.5 < large.ms_ssim < 1


def test_grey_counts_like_three_equal_channels(large_picture: Pixels) -> None:
    grey = large_picture[:, :, 0]
    back = decode_classical(jpeg(grey, 20), grey=True)
    one, three = quality_of(back, grey), quality_of(np.dstack([back] * 3), np.dstack([grey] * 3))
    assert one.psnr == pytest.approx(three.psnr)
    assert one.ms_ssim == pytest.approx(three.ms_ssim)


def test_another_shape_is_no_copy(picture: Pixels) -> None:
    with pytest.raises(ValueError, match=r"shape \(48, 63, 3\) is no copy"):
        quality_of(picture[:, 1:], picture)
