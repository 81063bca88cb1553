from math import inf, nan

import pytest

from glic_pyg.codec.goal import Goal, file_quality, one_goal
from glic_pyg.errors import GlicError


def test_one_of_four() -> None:
    assert one_goal() is None
    assert one_goal(quality=0) == Goal("quality", 0)
    assert one_goal(target_bytes=2000) == Goal("bytes", 2000)
    assert one_goal(target_bpp=0.5) == Goal("bpp", 0.5)
    assert one_goal(target_psnr=36) == Goal("psnr", 36)
    with pytest.raises(GlicError, match="one of quality, target_bytes, target_bpp and target_psnr"):
        one_goal(quality=0, target_psnr=36)


@pytest.mark.parametrize("value", [-1, 100.5, inf, nan])
def test_qualities_that_there_are_not(value: float) -> None:
    with pytest.raises(GlicError, match="from 0 to 100, not"):
        one_goal(quality=value)


@pytest.mark.parametrize("value", [0, -5, inf, nan])
@pytest.mark.parametrize("name", ["target_bytes", "target_bpp", "target_psnr"])
def test_targets_that_make_no_sense(name: str, value: float) -> None:
    with pytest.raises(GlicError, match="above 0, not"):
        one_goal(**{name: value})


def test_values_have_units() -> None:
    texts = [goal.text(goal.value) for goal in (Goal("bytes", 12345), Goal("bpp", 0.25), Goal("psnr", 36))]
    assert texts == ["12,345 bytes", "0.25 bpp", "36.00 dB"]


def test_files_keep_hundredths() -> None:
    assert [file_quality(quality) for quality in (0, 33.333, 99.999)] == [0, 33.33, 100]
