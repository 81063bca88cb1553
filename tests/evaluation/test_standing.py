import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.measure import Measurement, Quality
from glic_pyg.evaluation.standing import mean_curves, picture_curves, standings

RATES = (0.1, 0.2, 0.4, 0.8)


def points(codec: str, factor: float, offset: float, rates: Sequence[float] = RATES) -> list[Measurement]:
    """A codec that spends ``factor`` times as much for as many decibels, which have an offset."""
    return [
        Measurement(codec, f"quality {r}", 1, factor * r, Quality(40 + 5 * math.log2(r) + offset, None), 1, 1)
        for r in rates
    ]


def named(measured: list[Measurement], codec: str) -> list[Measurement]:
    return [replace(m, codec=codec) for m in measured]


def picture(name: str, *codecs: list[Measurement]) -> Comparison:
    return Comparison(name, 10, 10, None, tuple(m for codec in codecs for m in codec))


def test_of_means_and_of_pictures() -> None:
    found = standings([
        picture("a", points("ours", 0.8, 0), points("jpeg", 1, 0), points("webp", 0.8, 0)),
        picture("b", points("ours", 1.2, 0), points("jpeg", 1, 0), points("webp", 1.2, 0.5)),
    ])  # fmt: skip
    jpeg, webp = found
    assert (jpeg.other, webp.other) == ("JPEG", "WebP")
    assert jpeg.rate is not None and jpeg.rate.value == pytest.approx(0, abs=1e-6)  # mean rates are equal
    assert jpeg.rate_by_similarity is None  # nobody measured it
    of = {image: delta.value for image, delta in jpeg.of_pictures.items() if delta}
    assert of == pytest.approx({"a": -20, "b": 20})
    assert jpeg.gains["a"] == pytest.approx(5 * math.log2(1 / 0.8))
    assert (jpeg.won, len(jpeg.known_gains)) == (1, 2)
    assert webp.won == 0 and webp.gains["b"] == pytest.approx(-0.5)


def test_one_point_is_compared_at_its_rate() -> None:
    ours = points("ours", 1, 1.0, [0.3])
    [jpeg] = standings([picture("a", ours, points("jpeg", 1, 0))])
    assert jpeg.rate is None and jpeg.gain is None and jpeg.of_pictures == {"a": None}
    assert jpeg.gains["a"] == pytest.approx(1.0)


def test_where_the_ladders_do_not_meet() -> None:
    """Better for fewer bytes counts as much as the two nearest files differ; better for more says nothing."""
    cheap, dear = points("x", 0.001, -100), points("x", 900, 0)
    for ours, theirs, gain in ((cheap, dear, None), (dear, cheap, None)):
        [jpeg] = standings([picture("a", named(ours, "ours"), named(theirs, "jpeg"))])
        assert jpeg.rate is None and jpeg.gains == {"a": gain} and jpeg.known_gains == []
    cheap = points("x", 0.001, 100)
    best_of_cheap, worst_of_dear = cheap[-1].quality.psnr, dear[0].quality.psnr
    for ours, theirs, gain in (
        (cheap, dear, best_of_cheap - worst_of_dear), (dear, cheap, worst_of_dear - best_of_cheap),
        (dear[:1], cheap, worst_of_dear - best_of_cheap),
    ):  # fmt: skip
        [jpeg] = standings([picture("a", named(ours, "ours"), named(theirs, "jpeg"))])
        assert jpeg.gains["a"] == pytest.approx(gain)


def test_curves_are_in_the_order_of_measurement() -> None:
    comparison = picture("a", points("ours", 1, 0), points("webp", 1, 0))
    assert [curve.name for curve in mean_curves([comparison])] == ["ours", "WebP"]
    assert picture_curves(comparison)[1].bpp == RATES
