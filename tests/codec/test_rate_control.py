"""Rate targets: what may be asked of a file, the search for its quality, and targets out of reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import (
    MAX_TRIALS,
    Bracket,
    RateTarget,
    Trial,
    file_quality,
    parse_target,
    search_quality,
)
from glic_pyg.errors import GlicError, OutOfReach
from tests.codec.test_rates import LADDER, psnr_of


def test_one_of_four() -> None:
    assert parse_target() is None
    assert parse_target(quality=0) == RateTarget("quality", 0)
    assert parse_target(target_bytes=2000) == RateTarget("bytes", 2000)
    assert parse_target(target_bpp=0.5) == RateTarget("bpp", 0.5)
    assert parse_target(target_psnr=36) == RateTarget("psnr", 36)
    with pytest.raises(GlicError, match="one of quality, target_bytes, target_bpp and target_psnr"):
        parse_target(quality=0, target_psnr=36)


@pytest.mark.parametrize("value", [-1, 100.5, inf, nan])
def test_qualities_that_there_are_not(value: float) -> None:
    with pytest.raises(GlicError, match="from 0 to 100, not"):
        parse_target(quality=value)


@pytest.mark.parametrize("value", [0, -5, inf, nan])
@pytest.mark.parametrize("name", ["target_bytes", "target_bpp", "target_psnr"])
def test_targets_that_make_no_sense(name: str, value: float) -> None:
    with pytest.raises(GlicError, match="above 0, not"):
        parse_target(**{name: value})


def test_values_have_units() -> None:
    texts = [
        target.text(target.value)
        for target in (RateTarget("bytes", 12345), RateTarget("bpp", 0.25), RateTarget("psnr", 36))
    ]
    assert texts == ["12,345 bytes", "0.25 bpp", "36.00 dB"]


def test_files_keep_hundredths() -> None:
    assert [file_quality(quality) for quality in (0, 33.333, 99.999)] == [0, 33.33, 100]


Curve = Callable[[float], float]

CURVES: dict[str, Curve] = {
    "straight": lambda q: 5 + q / 40,
    "bent": lambda q: 5 + 2.5 * math.sqrt(q / 100),
    "steeper and steeper": lambda q: 5 + 2.5 * (q / 100) ** 3,
    "a bump": lambda q: 5 + q / 40 + 0.2 * math.sin(q / 8),
}


def searched(curve: Curve, bracket: Bracket) -> tuple[Trial[str], list[float]]:
    qualities: list[float] = []

    def attempt(quality: float) -> tuple[float, str]:
        qualities.append(quality)
        return curve(quality), f"at {quality}"

    return search_quality(attempt, bracket), qualities


def bracket_around(centre: float, half: float = 0.01) -> Bracket:
    return Bracket(centre - half, centre + half, "most", 0.025)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.4, 0.5, 0.7, 0.9, 0.99])
def test_found_in_few_trials(name: str, share: float) -> None:
    wanted = bracket_around(5 + 2.5 * share)
    found, qualities = searched(CURVES[name], wanted)
    assert wanted.holds(found.measure) and found.measure == CURVES[name](found.quality)
    assert found.result == f"at {found.quality}"
    assert len(qualities) <= (2 if name == "straight" else 9)
    assert all(round(q, 2) == q and 0 <= q <= 100 for q in qualities)
    assert len(set(qualities)) == len(qualities), "nothing is attempted twice"


@pytest.mark.parametrize(("centre", "end"), [(3.0, 0.0), (4.9, 0.0), (7.6, 100.0), (9.0, 100.0)])
@pytest.mark.parametrize("name", CURVES)
def test_out_of_reach_ends_at_an_end(name: str, centre: float, end: float) -> None:
    found, qualities = searched(CURVES[name], bracket_around(centre))
    assert found.quality == end and len(qualities) <= 6


@pytest.mark.parametrize("hard", ["least", "most"])
def test_a_stair_without_a_step_in_the_window(hard: str) -> None:
    """The nearest step on the side of the hard end is taken, after a bounded number of trials."""
    wanted = Bracket(6.09, 6.11, hard, 0.025)  # type: ignore[arg-type]
    found, qualities = searched(lambda q: 5 + math.floor(q / 10) / 4, wanted)
    assert found.measure == (6.25 if hard == "least" else 6.0)
    assert len(qualities) <= MAX_TRIALS


def test_a_measure_that_does_not_move() -> None:
    found, qualities = searched(lambda q: 6.0, bracket_around(7.0))
    assert found.quality == 100 and len(qualities) <= 5


@pytest.mark.parametrize("share", [0.03, 0.3, 0.6, 0.97])
def test_target_bytes_and_bpp(variable_codec: ImageCodec, smooth: np.ndarray, share: float) -> None:
    low, high = (len(variable_codec.encode(smooth, target=RateTarget("quality", q)).data) for q in (0, 100))
    target = round(low * (high / low) ** share)
    encoded = variable_codec.encode(smooth, target=RateTarget("bytes", target))
    assert 0.98 * target <= len(encoded.data) <= target and encoded.notes == ()
    target_bpp = 8 * target / smooth[..., 0].size
    encoded = variable_codec.encode(smooth, target=RateTarget("bpp", target_bpp))
    assert 0.98 * target_bpp <= encoded.bpp <= target_bpp and encoded.notes == ()


@pytest.mark.parametrize("share", [0.03, 0.3, 0.6, 0.97])
def test_target_psnr(variable_codec: ImageCodec, smooth: np.ndarray, share: float) -> None:
    low, high = (
        psnr_of(variable_codec, variable_codec.encode(smooth, target=RateTarget("quality", q)).data, smooth)
        for q in (0, 100)
    )
    target = low + share * (high - low)
    encoded = variable_codec.encode(smooth, target=RateTarget("psnr", target))
    assert target <= psnr_of(variable_codec, encoded.data, smooth) <= target + 0.05


def test_target_psnr_of_grey(variable_codec: ImageCodec, smooth: np.ndarray) -> None:
    grey = smooth[..., 0]
    target = psnr_of(variable_codec, variable_codec.encode(grey).data, grey) + 0.5
    data = variable_codec.encode(grey, target=RateTarget("psnr", target)).data
    assert target <= psnr_of(variable_codec, data, grey) <= target + 0.05


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (RateTarget("bytes", 60), "cannot be coded at 60 bytes: quality 0, the lowest, gives"),
        (RateTarget("bpp", 0.001), "cannot be coded at 0.001 bpp: quality 0, the lowest, gives"),
        (RateTarget("psnr", 90), "cannot be coded at 90.00 dB: quality 100, the highest, gives"),
    ],
)
def test_out_of_reach_is_one_sentence(
    variable_codec: ImageCodec, smooth: np.ndarray, target: RateTarget, sentence: str
) -> None:
    with pytest.raises(OutOfReach, match=sentence) as said:
        variable_codec.encode(smooth, target=target)
    assert str(said.value).endswith((" bytes.", " bpp.", " dB."))


@pytest.mark.parametrize(
    ("target", "quality", "note"),
    [
        (
            RateTarget("bytes", 10**6),
            100,
            "Quality 100, the highest, needs only {size:,} bytes, not 1,000,000 bytes.",
        ),
        (RateTarget("bpp", 99), 100, "Quality 100, the highest, needs only {bpp:.4g} bpp, not 99 bpp."),
        (RateTarget("psnr", 5), 0, "Quality 0, the lowest, gives {psnr:.2f} dB, not 5.00 dB."),
    ],
)
def test_a_target_that_asks_for_nothing_is_met_with_a_note(
    variable_codec: ImageCodec, smooth: np.ndarray, target: RateTarget, quality: float, note: str
) -> None:
    encoded = variable_codec.encode(smooth, target=target)
    assert encoded.data == variable_codec.encode(smooth, target=RateTarget("quality", quality)).data
    psnr = psnr_of(variable_codec, encoded.data, smooth)
    assert encoded.notes == (note.format(size=len(encoded.data), bpp=encoded.bpp, psnr=psnr),)


def test_the_psnr_that_was_reached_is_told(variable_codec: ImageCodec, smooth: np.ndarray) -> None:
    for target in (5, 28):
        encoded = variable_codec.encode(smooth, target=RateTarget("psnr", target))
        assert encoded.psnr == psnr_of(variable_codec, encoded.data, smooth)
    assert variable_codec.encode(smooth).psnr is None


def test_an_image_too_small_to_hit_the_target(variable_codec: ImageCodec, pixels: np.ndarray) -> None:
    """Files of a few bytes come in jumps; the limit is kept and the rest is said."""
    tiny = pixels[:9, :9]
    sizes = {
        len(variable_codec.encode(tiny, target=RateTarget("quality", quality)).data) for quality in LADDER
    }
    gaps = sorted(set(range(min(sizes), max(sizes))) - sizes)
    for target in gaps[:3]:
        encoded = variable_codec.encode(tiny, target=RateTarget("bytes", target))
        met = len(encoded.data) >= 0.98 * target
        assert len(encoded.data) <= target
        assert met == (encoded.notes == ())
        assert met or encoded.notes[-1].startswith(f"The nearest to {target} bytes that was found is ")


def test_many_images_with_one_target(variable_codec: ImageCodec, smooth: np.ndarray) -> None:
    target = RateTarget("bpp", 0.15)
    together = list(variable_codec.encode_many([smooth, 255 - smooth], target=target))
    assert together == [variable_codec.encode(image, target=target) for image in (smooth, 255 - smooth)]
