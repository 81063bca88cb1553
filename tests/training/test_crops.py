"""Which crops a step sees, before any image is looked at."""

import numpy as np
import pytest

from glic_pyg.data.image_file import ImageFile
from glic_pyg.data.index import Catalogue
from glic_pyg.errors import DataError
from glic_pyg.training.crops import CropPlanner
from glic_pyg.training.schedules import Stages


def sized(*sides: int) -> Catalogue:
    """Square images that exist only by their sizes."""
    files = tuple(ImageFile(f"{number}.png") for number in range(len(sides)))  # type: ignore[arg-type]
    return Catalogue(files, np.array([[side, side] for side in sides]))


def test_each_pass_shows_every_image_once() -> None:
    planner = CropPlanner(sized(*[8] * 10), batch_size=4, crop=8)
    shown = np.concatenate([planner(step).places for step in range(15)])
    passes = shown.reshape(6, 10)
    assert (np.sort(passes, axis=1) == np.arange(10)).all()
    assert len({tuple(order) for order in passes.tolist()}) == 6


def test_a_batch_may_be_larger_than_the_set() -> None:
    places = CropPlanner(sized(8, 8, 8), batch_size=7, crop=8)(0).places
    assert np.bincount(places).min() == 2


def test_a_plan_hangs_on_seed_and_step_alone() -> None:
    first, second = (CropPlanner(sized(*[9] * 5), 4, 8, seed=1) for _ in range(2))
    late = second(9)
    assert all(np.array_equal(one, other) for one, other in zip(first(9), late, strict=True))
    other_seed = CropPlanner(sized(*[9] * 5), 4, 8, seed=2)(9)
    for different in (first(8), other_seed):
        assert not np.array_equal(different.corners, late.corners)


def test_processes_divide_the_batch_and_miss_nothing() -> None:
    whole = CropPlanner(sized(*[9] * 5), 6, 8)(3)
    parts = [whole.part(rank, 3) for rank in range(3)]
    for name in ("places", "corners", "flips"):
        joined = np.stack([getattr(part, name) for part in parts], axis=1)
        assert np.array_equal(joined.reshape(getattr(whole, name).shape), getattr(whole, name))


def test_every_place_can_be_cut() -> None:
    planner = CropPlanner(sized(10), 64, 8, flips=False)
    corners = {
        tuple(int(axis[0]) for axis in crop)
        for step in range(4)
        for crop in zip(*planner(step).coordinates(np.full((64, 2), 10)), strict=True)
    }
    assert corners == {(top, left) for top in range(3) for left in range(3)}


def test_flips_turn_the_coordinates_round() -> None:
    planner = CropPlanner(sized(10), 64, 8)
    plan = planner(0)
    assert set(map(tuple, plan.flips.tolist())) == {(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)}
    rows, columns = plan.coordinates(np.full((64, 2), 10))
    assert np.array_equal(rows[:, 0] > rows[:, -1], plan.flips[:, 0])
    assert np.array_equal(columns[:, 0] > columns[:, -1], plan.flips[:, 1])
    assert not CropPlanner(sized(10), 64, 8, flips=False)(0).flips.any()


def test_small_images_are_left_out_or_mirrored() -> None:
    assert CropPlanner(sized(8, 7, 9), 1, 8).usable[0].tolist() == [0, 2]
    assert CropPlanner(sized(8, 7, 9), 1, 8).left_out() == ["1 too small for crops of 8 and left out"]
    planner = CropPlanner(sized(3, 1), 64, 8, flips=False, mirror_small=True)
    rows, _ = planner(0).coordinates(np.full((64, 2), 3))
    assert (rows == [0, 1, 2, 1, 0, 1, 2, 1]).all()
    rows, _ = planner(0).coordinates(np.full((64, 2), 1))
    assert not rows.any()


def test_stages_change_crop_batch_and_usable_images() -> None:
    stages = Stages(10, lengths=[6, 4], crops=[1, 2], batches=[1, 0.25])
    planner = CropPlanner(sized(8, 16, 20), 4, 8, stages)
    before, after = planner(5), planner(6)
    assert (before.side, len(before.places), before.usable.tolist()) == (8, 4, [0, 1, 2])
    assert (after.side, len(after.places), after.usable.tolist()) == (16, 1, [1, 2])
    assert {int(planner(step).places[0]) for step in (6, 7)} == {0, 1}
    assert planner.left_out() == ["1 too small for crops of 16 and left out"]
    assert CropPlanner(sized(4, 8, 20), 4, 8, stages).wanted().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        (Stages(2, lengths=[1, 1], crops=[1, 3]), "None of the 2 images is 24 pixels high and wide"),
        (Stages(2, lengths=[1, 1], crops=[1, 0.7]), "0.7 times crop=8"),
        (Stages(2, lengths=[1, 1], batches=[1, 0.3]), "0.3 times batch_size=4"),
    ],
)
def test_stages_that_cannot_be(stages: Stages, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        CropPlanner(sized(8, 16), 4, 8, stages)


def test_the_next_usable_image_stands_in_for_a_broken_one() -> None:
    plan = CropPlanner(sized(8, 4, 8, 8), 3, 8)(0)
    assert sorted(plan.images(np.zeros(4, bool)).tolist()) == [0, 2, 3]
    in_place = dict(
        zip(plan.places.tolist(), plan.images(np.array([0, 0, 0, 1], bool)).tolist(), strict=True)
    )
    assert in_place == {0: 0, 1: 2, 2: 0}
    with pytest.raises(DataError, match="None of 3 images can be decoded"):
        plan.images(np.ones(4, bool))
