"""Files of a size or a PSNR that was asked for, and targets that are out of reach."""

from __future__ import annotations

import numpy as np
import pytest

from glic_pyg.codec.goal import Goal
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.errors import OutOfReach
from tests.codec.test_rates import LADDER, psnr_of


@pytest.mark.parametrize("share", [0.03, 0.3, 0.6, 0.97])
def test_target_bytes_and_bpp(variable_codec: ImageCodec, smooth: np.ndarray, share: float) -> None:
    low, high = (len(variable_codec.encode(smooth, goal=Goal("quality", q)).data) for q in (0, 100))
    target = round(low * (high / low) ** share)
    encoded = variable_codec.encode(smooth, goal=Goal("bytes", target))
    assert 0.98 * target <= len(encoded.data) <= target and encoded.notes == ()
    target_bpp = 8 * target / smooth[..., 0].size
    encoded = variable_codec.encode(smooth, goal=Goal("bpp", target_bpp))
    assert 0.98 * target_bpp <= encoded.bpp <= target_bpp and encoded.notes == ()


@pytest.mark.parametrize("share", [0.03, 0.3, 0.6, 0.97])
def test_target_psnr(variable_codec: ImageCodec, smooth: np.ndarray, share: float) -> None:
    low, high = (
        psnr_of(variable_codec, variable_codec.encode(smooth, goal=Goal("quality", q)).data, smooth)
        for q in (0, 100)
    )
    target = low + share * (high - low)
    encoded = variable_codec.encode(smooth, goal=Goal("psnr", target))
    assert target <= psnr_of(variable_codec, encoded.data, smooth) <= target + 0.05


def test_target_psnr_of_grey(variable_codec: ImageCodec, smooth: np.ndarray) -> None:
    grey = smooth[..., 0]
    target = psnr_of(variable_codec, variable_codec.encode(grey).data, grey) + 0.5
    data = variable_codec.encode(grey, goal=Goal("psnr", target)).data
    assert target <= psnr_of(variable_codec, data, grey) <= target + 0.05


@pytest.mark.parametrize(
    ("goal", "sentence"),
    [
        (Goal("bytes", 60), "cannot be coded at 60 bytes: quality 0, the lowest, gives"),
        (Goal("bpp", 0.001), "cannot be coded at 0.001 bpp: quality 0, the lowest, gives"),
        (Goal("psnr", 90), "cannot be coded at 90.00 dB: quality 100, the highest, gives"),
    ],
)
def test_out_of_reach_is_one_sentence(
    variable_codec: ImageCodec, smooth: np.ndarray, goal: Goal, sentence: str
) -> None:
    with pytest.raises(OutOfReach, match=sentence) as said:
        variable_codec.encode(smooth, goal=goal)
    assert str(said.value).endswith((" bytes.", " bpp.", " dB."))


@pytest.mark.parametrize(
    ("goal", "quality", "note"),
    [
        (
            Goal("bytes", 10**6),
            100,
            "Quality 100, the highest, needs only {size:,} bytes, not 1,000,000 bytes.",
        ),
        (Goal("bpp", 99), 100, "Quality 100, the highest, needs only {bpp:.4g} bpp, not 99 bpp."),
        (Goal("psnr", 5), 0, "Quality 0, the lowest, gives {psnr:.2f} dB, not 5.00 dB."),
    ],
)
def test_a_target_that_asks_for_nothing_is_met_with_a_note(
    variable_codec: ImageCodec, smooth: np.ndarray, goal: Goal, quality: float, note: str
) -> None:
    encoded = variable_codec.encode(smooth, goal=goal)
    assert encoded.data == variable_codec.encode(smooth, goal=Goal("quality", quality)).data
    psnr = psnr_of(variable_codec, encoded.data, smooth)
    assert encoded.notes == (note.format(size=len(encoded.data), bpp=encoded.bpp, psnr=psnr),)


def test_the_psnr_that_was_reached_is_told(variable_codec: ImageCodec, smooth: np.ndarray) -> None:
    for target in (5, 28):
        encoded = variable_codec.encode(smooth, goal=Goal("psnr", target))
        assert encoded.psnr == psnr_of(variable_codec, encoded.data, smooth)
    assert variable_codec.encode(smooth).psnr is None


def test_a_picture_too_small_to_hit_the_target(variable_codec: ImageCodec, pixels: np.ndarray) -> None:
    """Files of a few bytes come in jumps; the promised side is kept and the rest is said."""
    tiny = pixels[:9, :9]
    sizes = {len(variable_codec.encode(tiny, goal=Goal("quality", quality)).data) for quality in LADDER}
    gaps = sorted(set(range(min(sizes), max(sizes))) - sizes)
    for target in gaps[:3]:
        encoded = variable_codec.encode(tiny, goal=Goal("bytes", target))
        met = len(encoded.data) >= 0.98 * target
        assert len(encoded.data) <= target
        assert met == (encoded.notes == ())
        assert met or encoded.notes[-1].startswith(f"The nearest to {target} bytes that was found is ")


def test_many_pictures_with_one_goal(variable_codec: ImageCodec, smooth: np.ndarray) -> None:
    goal = Goal("bpp", 0.15)
    together = list(variable_codec.encode_many([smooth, 255 - smooth], goal=goal))
    assert together == [variable_codec.encode(picture, goal=goal) for picture in (smooth, 255 - smooth)]
