from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines.pillow import JPEG
from glic_pyg.evaluation.measure import OperatingPoint, baseline_point, measure_file
from studies.results.measurement_cache import MeasurementCache

Pixels = NDArray[np.uint8]


class Counted:
    """A point that counts how often it encodes."""

    def __init__(self) -> None:
        self.times = 0
        self.point = replace(baseline_point(JPEG, 30), encode=self.encode)

    def encode(self, pixels: Pixels) -> bytes:
        self.times += 1
        return JPEG.encode(pixels, 30)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def other(point: OperatingPoint, **changes: str | None) -> OperatingPoint:
    return replace(point, **changes)  # type: ignore[arg-type]


def test_what_is_known_is_not_measured_again(counted: Counted, pixels: Pixels, tmp_path: Path) -> None:
    kept = tmp_path / "runs" / "kept.jsonl"
    first = MeasurementCache(kept).measure(counted.point, pixels, tmp_path / "a.jpg")
    again = MeasurementCache(kept)
    assert again.measure(counted.point, pixels, tmp_path / "b.jpg") == first
    assert counted.times == 1 and not (tmp_path / "b.jpg").exists()
    assert first.quality == measure_file(counted.point, pixels, tmp_path / "c.jpg").quality
    assert len(again.origins) == 1 and "cores" in next(iter(again.origins)).machine


@pytest.mark.parametrize("what", ["codec", "setting", "identity"])
def test_another_codec_setting_or_version_is(
    what: str, counted: Counted, pixels: Pixels, tmp_path: Path
) -> None:
    kept = MeasurementCache(tmp_path / "kept.jsonl")
    kept.measure(counted.point, pixels, tmp_path / "a.jpg")
    kept.measure(other(counted.point, **{what: "another"}), pixels, tmp_path / "a.jpg")
    assert counted.times == 2


def test_another_image_is(counted: Counted, pixels: Pixels, tmp_path: Path) -> None:
    kept, changed = MeasurementCache(tmp_path / "kept.jsonl"), pixels.copy()
    changed[0, 0, 0] ^= 1
    for variant in (pixels, changed, pixels.transpose(1, 0, 2), pixels):
        kept.measure(counted.point, np.ascontiguousarray(variant), tmp_path / "a.jpg")
    assert counted.times == 3


def test_what_cannot_be_told_apart_is_not_trusted(counted: Counted, pixels: Pixels, tmp_path: Path) -> None:
    kept = MeasurementCache(tmp_path / "kept.jsonl")
    for _ in range(2):
        kept.measure(other(counted.point, identity=None), pixels, tmp_path / "a.jpg")
    assert counted.times == 2


def test_a_line_that_was_cut_off_costs_one_measurement(
    counted: Counted, pixels: Pixels, tmp_path: Path
) -> None:
    path = tmp_path / "kept.jsonl"
    points = [counted.point, other(counted.point, setting="another")]
    for point in points:
        MeasurementCache(path).measure(point, pixels, tmp_path / "a.jpg")
    path.write_text(path.read_text()[:-40])  # the machine went down while the second was written
    for _ in range(2):
        for point in points:
            MeasurementCache(path).measure(point, pixels, tmp_path / "a.jpg")
    assert counted.times == 3


def test_versions_and_options_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = baseline_point(JPEG, 30).identity
    assert identity is not None and "Pillow" in identity and "'subsampling': 0" in identity
    monkeypatch.setattr("PIL.__version__", "99")
    assert baseline_point(JPEG, 30).identity != identity
