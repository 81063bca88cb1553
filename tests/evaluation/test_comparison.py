from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.codec.goal import Goal
from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP
from glic_pyg.evaluation.comparison import compare_image, learned_rung, measure_ladder
from glic_pyg.evaluation.measure import classical_rung
from glic_pyg.evaluation.quality import quality_of
from glic_pyg.evaluation.rate_matching import at_least
from glic_pyg.metrics import pixel_psnr

Pixels = NDArray[np.uint8]
SHAPE = (48, 64, 3)


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

    def encode(self, source: Pixels, *, goal: Goal | None = None, estimate: bool = False) -> File:
        data = JPEG.encode(source, 40 if goal is None else int(goal.value))
        return File(data, 8.0 * len(data) if estimate else None)

    def decode(self, data: bytes) -> Picture:
        return Picture(JPEG.decode(data, SHAPE))


def test_ours_is_measured_from_the_file(picture: Pixels, tmp_path: Path) -> None:
    got = compare_image(JpegInDisguise(), "soft", picture, tmp_path)
    data = (tmp_path / "soft.glic").read_bytes()
    decoded = JPEG.decode(data, SHAPE)
    assert (got.image, got.width, got.height) == ("soft", 64, 48)
    assert (got.ours.codec, got.ours.setting, got.ours.size) == ("glic", "disguise", len(data))
    assert got.ours.bpp == pytest.approx(8 * len(data) / (64 * 48))
    assert got.ours.quality.psnr == pixel_psnr(decoded, picture)
    assert got.estimated_bits == 8 * len(data)


def test_what_is_asked_of_our_file_is_passed_on(picture: Pixels, tmp_path: Path) -> None:
    compare_image(JpegInDisguise(), "soft", picture, tmp_path, Goal("quality", 77))
    assert (tmp_path / "soft.glic").read_bytes() == JPEG.encode(picture, 77)


def test_the_others_spend_the_same(picture: Pixels, tmp_path: Path) -> None:
    got = compare_image(JpegInDisguise(), "soft", picture, tmp_path)
    ours, jpeg_file, webp_file = got.codecs
    data, quality = at_least(JPEG, picture, ours.size)
    assert (tmp_path / "soft.jpg").read_bytes() == data
    assert (jpeg_file.setting, jpeg_file.size) == (f"quality {quality}", len(data))
    assert jpeg_file.quality == quality_of(JPEG.decode(data, SHAPE), picture)
    assert webp_file.size == (tmp_path / "soft.webp").stat().st_size
    assert abs(webp_file.size - ours.size) < 0.1 * ours.size
    assert all(m.encode_seconds > 0 and m.decode_seconds > 0 for m in got.codecs)


def test_what_lies_in_the_file_is_decoded(
    picture: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A codec that remembered what it encoded would not notice that the file changed."""
    other = JPEG.encode(255 - picture, 40)
    monkeypatch.setattr(Path, "read_bytes", lambda self: other)
    assert compare_image(JpegInDisguise(), "soft", picture, tmp_path).ours.quality.psnr < 15


def test_a_ladder_has_a_file_for_every_rung(picture: Pixels, tmp_path: Path) -> None:
    rungs = [learned_rung(JpegInDisguise()), *(classical_rung(WEBP, quality) for quality in (5, 80))]
    got = measure_ladder(rungs, "soft", picture, tmp_path)
    assert [(m.codec, m.setting) for m in got.codecs] == [
        ("glic", "disguise"), ("webp", "quality 5"), ("webp", "quality 80"),
    ]  # fmt: skip
    assert got.estimated_bits is None  # nobody asked for it
    assert sorted(p.name for p in tmp_path.iterdir()) == ["soft.00.glic", "soft.01.webp", "soft.02.webp"]
    assert got.codecs[1].size < got.codecs[2].size
    assert got.codecs[1].quality.psnr < got.codecs[2].quality.psnr
    assert got.codecs[2].quality == quality_of(WEBP.decode(WEBP.encode(picture, 80), SHAPE), picture)
