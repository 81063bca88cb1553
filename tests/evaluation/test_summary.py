import csv
import io
import json
import math

import pytest

from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.measure import Measurement, Quality
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.evaluation.summary import as_csv, as_json, broken_estimates, estimate_holds, means


def comparison(image: str, size: int, psnr: float, ms_ssim: float | None, bits: float | None) -> Comparison:
    ours = Measurement("glic", "tiny", size, size / 1000, Quality(psnr, ms_ssim), 1.0, 2.0)
    jpeg = Measurement("jpeg", "quality 7", size + 50, size / 1000, Quality(psnr - 3, ms_ssim), 0.1, 0.2)
    return Comparison(image, 100, 80, bits, (ours, jpeg))


PAIR = [comparison("a", 1000, 30.0, 0.9, 8000.0), comparison("b", 3000, 36.0, 0.999, 8000.0)]


def test_means() -> None:
    ours, jpeg = means(PAIR)
    assert (ours.codec, ours.size, ours.psnr, jpeg.psnr) == ("glic", 2000, 33.0, 30.0)
    assert ours.ms_ssim == pytest.approx(0.9495)


def test_decibels_are_averaged_not_similarities() -> None:
    assert means(PAIR)[0].ms_ssim_db == pytest.approx((10 + 30) / 2)


def test_small_images_do_not_spoil_the_mean() -> None:
    ours = means([*PAIR, comparison("small", 10, 30.0, None, None)])[0]
    assert ours.ms_ssim == pytest.approx(0.9495)
    assert means([comparison("small", 10, 30.0, None, None)])[0].ms_ssim is None


def test_nothing_to_average() -> None:
    with pytest.raises(ValueError, match="nothing to average"):
        means([])


@pytest.mark.parametrize(
    ("size", "holds"), [(10_000, True), (10_164, True), (10_165, False), (9_836, True), (9_835, False)]
)
def test_estimate_holds_within_1_percent_and_64_bytes(size: int, holds: bool) -> None:
    assert estimate_holds(size, 80_000.0) == holds


def test_broken_estimates_are_named() -> None:
    assert broken_estimates([*PAIR, comparison("c", 9, 1.0, None, None)]) == ["b"]


def test_json_is_strict_and_complete() -> None:
    text = as_json([comparison("equal", 10, math.inf, None, None), PAIR[0]], provenance(["glic", "compare"]))
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document["command"] == "glic compare" and document["machine"]["threads"] >= 1
    first, second = document["images"]
    assert first["codecs"][0]["psnr"] is None
    assert second["codecs"][0]["psnr"] == 30.0 and second["estimated_bits"] == 8000.0
    assert [row["codec"] for row in document["mean"]] == ["glic", "jpeg"]


def test_csv_has_a_row_for_every_file() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(PAIR))))
    assert [(row["image"], row["codec"]) for row in rows] == [
        ("a", "glic"), ("a", "jpeg"), ("b", "glic"), ("b", "jpeg"),
    ]  # fmt: skip
    assert float(rows[2]["psnr"]) == 36.0 and int(rows[3]["size"]) == 3050
