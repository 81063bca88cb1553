from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP
from glic_pyg.evaluation.comparison import (
    QUALITIES,
    compare_image,
    learned_point,
    learned_sweeps,
    measure_sweep,
)
from glic_pyg.evaluation.measure import baseline_point, quality_of
from glic_pyg.evaluation.rate_matching import at_least
from glic_pyg.metrics import pixel_psnr

Pixels = NDArray[np.uint8]
SHAPE = (48, 64, 3)


@dataclass
class File:
    data: bytes
    estimated_bits: float | None = None


@dataclass
class Decoded:
    array: Pixels


class JpegInDisguise:
    """A codec whose numbers can be known otherwise."""

    name = "disguise"

    def encode(self, source: Pixels, *, target: RateTarget | None = None, estimate: bool = False) -> File:
        data = JPEG.encode(source, 40 if target is None else int(target.value))
        return File(data, 8.0 * len(data) if estimate else None)

    def decode(self, data: bytes) -> Decoded:
        return Decoded(JPEG.decode(data, SHAPE))


def test_ours_is_measured_from_the_file(pixels: Pixels, tmp_path: Path) -> None:
    got = compare_image(JpegInDisguise(), "soft", pixels, tmp_path)
    data = (tmp_path / "soft.glic").read_bytes()
    decoded = JPEG.decode(data, SHAPE)
    assert (got.image, got.width, got.height) == ("soft", 64, 48)
    assert (got.ours.codec, got.ours.setting, got.ours.size) == ("glic", "disguise", len(data))
    assert got.ours.bpp == pytest.approx(8 * len(data) / (64 * 48))
    assert got.ours.quality.psnr == pixel_psnr(decoded, pixels)
    assert got.estimated_bits == 8 * len(data)


def test_what_is_asked_of_our_file_is_passed_on(pixels: Pixels, tmp_path: Path) -> None:
    compare_image(JpegInDisguise(), "soft", pixels, tmp_path, RateTarget("quality", 77))
    assert (tmp_path / "soft.glic").read_bytes() == JPEG.encode(pixels, 77)


def test_the_others_spend_the_same(pixels: Pixels, tmp_path: Path) -> None:
    got = compare_image(JpegInDisguise(), "soft", pixels, tmp_path)
    ours, jpeg_file, webp_file = got.codecs
    data, quality = at_least(JPEG, pixels, ours.size)
    assert (tmp_path / "soft.jpg").read_bytes() == data
    assert (jpeg_file.setting, jpeg_file.size) == (f"quality {quality}", len(data))
    assert jpeg_file.quality == quality_of(JPEG.decode(data, SHAPE), pixels)
    assert webp_file.size == (tmp_path / "soft.webp").stat().st_size
    assert abs(webp_file.size - ours.size) < 0.1 * ours.size
    assert all(m.encode_seconds > 0 and m.decode_seconds > 0 for m in got.codecs)


def test_what_lies_in_the_file_is_decoded(
    pixels: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A codec that remembered what it encoded would not notice that the file changed."""
    other = JPEG.encode(255 - pixels, 40)
    monkeypatch.setattr(Path, "read_bytes", lambda self: other)
    assert compare_image(JpegInDisguise(), "soft", pixels, tmp_path).ours.quality.psnr < 15


def test_a_sweep_has_a_file_for_every_point(pixels: Pixels, tmp_path: Path) -> None:
    points = [learned_point(JpegInDisguise()), *(baseline_point(WEBP, quality) for quality in (5, 80))]
    got = measure_sweep(points, "soft", pixels, tmp_path)
    assert [(m.codec, m.setting) for m in got.codecs] == [
        ("glic", "disguise"), ("webp", "quality 5"), ("webp", "quality 80"),
    ]  # fmt: skip
    assert got.estimated_bits is None  # nobody asked for it
    assert sorted(p.name for p in tmp_path.iterdir()) == ["soft.00.glic", "soft.01.webp", "soft.02.webp"]
    assert got.codecs[1].size < got.codecs[2].size
    assert got.codecs[1].quality.psnr < got.codecs[2].quality.psnr
    assert got.codecs[2].quality == quality_of(WEBP.decode(WEBP.encode(pixels, 80), SHAPE), pixels)


class Asked:
    """A codec whose file says what was asked."""

    def __init__(self, name: str, variable_rate: bool) -> None:
        self.name, self.variable_rate = name, variable_rate

    def encode(self, source: Pixels, *, target: RateTarget | None = None, estimate: bool = False) -> File:
        return File(f"{self.name} {target}".encode())

    def decode(self, data: bytes) -> None:
        raise AssertionError("nothing is decoded here")


def test_variable_rate_is_a_curve_of_its_own(pixels: Pixels) -> None:
    points = learned_sweeps([Asked("glic_xs", True), Asked("glic_s", True)], [0, 37.5])
    assert [(point.codec, point.setting) for point in points] == [
        ("glic_xs", "quality 0"), ("glic_xs", "quality 37.5"),
        ("glic_s", "quality 0"), ("glic_s", "quality 37.5"),
    ]  # fmt: skip
    assert points[3].encode(pixels) == f"glic_s {RateTarget('quality', 37.5)}".encode()
    assert {point.identity for point in points} == {None}
    assert len(learned_sweeps([Asked("glic_xs", True)])) == len(QUALITIES)


def test_fixed_rates_of_one_model_make_one_curve(pixels: Pixels) -> None:
    names = ["glic-0.0035", "glic-1e-4", "glic_s-0.05", "mine", "glic_xs-variable"]
    points = learned_sweeps([Asked(name, False) for name in names], identities=list("abcde"))
    assert [(point.codec, point.setting) for point in points] == [
        ("glic-λ", "λ 0.0035"), ("glic-λ", "λ 1e-4"), ("glic_s-λ", "λ 0.05"),
        ("mine", "its one rate"), ("glic_xs-variable", "its one rate"),
    ]  # fmt: skip
    assert points[0].encode(pixels) == b"glic-0.0035 None"
    assert [point.identity for point in points] == list("abcde")


def test_a_fixed_rate_is_not_put_on_the_curve_of_a_variable_one() -> None:
    points = learned_sweeps([Asked("glic_xs", True), Asked("glic_xs-0.0025", False)], [50])
    assert [point.codec for point in points] == ["glic_xs", "glic_xs-λ"]


def test_two_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(GlicError, match="Two weights are called last; rename one"):
        learned_sweeps([Asked("last", False), Asked("last", False)])
