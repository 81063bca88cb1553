import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.measure import Measurement, Quality
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.evaluation.summary import (
    as_csv,
    as_json,
    bd_summaries,
    broken_estimates,
    comparable,
    estimate_holds,
    image_curves,
    mean_curves,
    means,
)


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


def test_an_image_without_error_does_not_take_the_mean_of_the_others_away() -> None:
    exact = comparison("exact", 2000, math.inf, 1.0, None)
    ours = means([*PAIR, exact, comparison("small", 2000, 33.0, None, None)])[0]
    assert (ours.images, ours.psnr_images, ours.ms_ssim_images, ours.ms_ssim_db_images) == (4, 3, 3, 2)
    assert ours.psnr == 33.0 and ours.size == 2000
    assert ours.ms_ssim == pytest.approx((0.9 + 0.999 + 1) / 3)
    assert ours.ms_ssim_db == pytest.approx((10 + 30) / 2)
    alone = means([exact])[0]
    assert (alone.psnr, alone.psnr_images, alone.ms_ssim_db) == (math.inf, 0, math.inf)


def test_curves_of_means_are_over_the_same_images_in_rate_and_error() -> None:
    """One file without error takes its image out of the curves of all codecs."""
    ours, jpeg = comparison("mixed", 9000, 40.0, None, None).codecs
    mixed = Comparison("mixed", 100, 80, None, (ours, replace(jpeg, quality=Quality(math.inf, 1.0))))
    assert comparable([*PAIR, mixed]) == PAIR and comparable([mixed]) == [mixed]
    for curve in mean_curves([*PAIR, mixed]):
        assert curve.bpp == (2.0,) and curve.psnr in ((33.0,), (30.0,))
    document = json.loads(as_json([*PAIR, mixed], provenance([])))
    assert [row["images"] for row in document["mean"]] == [3, 3]
    assert [(row["images"], row["psnr"]) for row in document["curves"]] == [(2, 33.0), (2, 30.0)]
    assert "curves" not in json.loads(as_json(PAIR, provenance([])))
    assert [len(curve.bpp) for curve in image_curves(mixed)] == [1, 0]
    [against] = bd_summaries([mixed])
    assert against.gains == [] and against.bd_rate is None


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


RATES = (0.1, 0.2, 0.4, 0.8)


def points(codec: str, factor: float, offset: float, rates: Sequence[float] = RATES) -> list[Measurement]:
    """A codec that spends ``factor`` times as much for as many decibels, which have an offset."""
    return [
        Measurement(codec, f"quality {r}", 1, factor * r, Quality(40 + 5 * math.log2(r) + offset, None), 1, 1)
        for r in rates
    ]


def named(measured: list[Measurement], codec: str) -> list[Measurement]:
    return [replace(m, codec=codec) for m in measured]


def compared(name: str, *codecs: list[Measurement]) -> Comparison:
    return Comparison(name, 10, 10, None, tuple(m for codec in codecs for m in codec))


def test_bd_rates_of_means_and_of_images() -> None:
    found = bd_summaries([
        compared("a", points("ours", 0.8, 0), points("jpeg", 1, 0), points("webp", 0.8, 0)),
        compared("b", points("ours", 1.2, 0), points("jpeg", 1, 0), points("webp", 1.2, 0.5)),
    ])  # fmt: skip
    jpeg, webp = found
    assert (jpeg.other, webp.other) == ("JPEG", "WebP")
    assert jpeg.bd_rate is not None and jpeg.bd_rate.value == pytest.approx(0, abs=1e-6)  # of the means
    assert jpeg.bd_rate_ms_ssim is None  # nobody measured it
    of = {image: delta.value for image, delta in jpeg.bd_rate_by_image.items() if delta}
    assert of == pytest.approx({"a": -20, "b": 20})
    assert jpeg.gain_by_image["a"] == pytest.approx(5 * math.log2(1 / 0.8))
    assert (jpeg.wins, len(jpeg.gains)) == (1, 2)
    assert webp.wins == 0 and webp.gain_by_image["b"] == pytest.approx(-0.5)


def test_one_point_is_compared_at_its_rate() -> None:
    ours = points("ours", 1, 1.0, [0.3])
    [jpeg] = bd_summaries([compared("a", ours, points("jpeg", 1, 0))])
    assert jpeg.bd_rate is None and jpeg.bd_psnr is None and jpeg.bd_rate_by_image == {"a": None}
    assert jpeg.gain_by_image["a"] == pytest.approx(1.0)


def test_where_the_sweeps_do_not_meet() -> None:
    """Better for fewer bytes counts as much as the two nearest files differ; better for more says nothing."""
    cheap, dear = points("x", 0.001, -100), points("x", 900, 0)
    for ours, theirs, gain in ((cheap, dear, None), (dear, cheap, None)):
        [jpeg] = bd_summaries([compared("a", named(ours, "ours"), named(theirs, "jpeg"))])
        assert jpeg.bd_rate is None and jpeg.gain_by_image == {"a": gain} and jpeg.gains == []
    cheap = points("x", 0.001, 100)
    best_of_cheap, worst_of_dear = cheap[-1].quality.psnr, dear[0].quality.psnr
    for ours, theirs, gain in (
        (cheap, dear, best_of_cheap - worst_of_dear), (dear, cheap, worst_of_dear - best_of_cheap),
        (dear[:1], cheap, worst_of_dear - best_of_cheap),
    ):  # fmt: skip
        [jpeg] = bd_summaries([compared("a", named(ours, "ours"), named(theirs, "jpeg"))])
        assert jpeg.gain_by_image["a"] == pytest.approx(gain)


def test_curves_are_in_the_order_of_measurement() -> None:
    comparison = compared("a", points("ours", 1, 0), points("webp", 1, 0))
    assert [curve.name for curve in mean_curves([comparison])] == ["ours", "WebP"]
    assert image_curves(comparison)[1].bpp == RATES
