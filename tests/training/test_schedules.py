"""The staged recipe as a function of the step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glic_pyg.training.schedules import Stages, StepDrop, WarmupHoldDecay


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_warmup_hold_decay(shape: str) -> None:
    factor = WarmupHoldDecay(total_steps=100, warmup_steps=10, hold=0.5, final=0.1, shape=shape)
    assert [factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert factor(10) == factor(50) == 1.0
    assert factor(75) == pytest.approx(0.55)
    assert factor(100) == factor(1000) == pytest.approx(0.1)
    tail = [factor(step) for step in range(50, 101)]
    assert tail == sorted(tail, reverse=True)


def test_shapes_differ_where_they_should() -> None:
    cosine, linear = (WarmupHoldDecay(100, shape=shape) for shape in ("cosine", "linear"))
    assert cosine(25) > linear(25)
    assert cosine(75) < linear(75)


def test_step_drop() -> None:
    factor = StepDrop(600, drops=[5 / 6], factor=0.1)
    assert [factor(step) for step in (0, 499, 500, 599)] == pytest.approx([1, 1, 0.1, 0.1])


@pytest.mark.parametrize("options", [{"shape": "square"}, {"hold": 1.5}])
def test_bad_options_are_named(options: dict) -> None:
    with pytest.raises(ValueError, match="schedule"):
        WarmupHoldDecay(10, **options)


PUBLISHED = {
    "lengths": [500, 10, 360],
    "rates": [1, 0.1, 0.1],
    "crops": [1, 1, 2],
    "batches": [1, 1, 0.25],
}


def test_the_published_recipe_in_small() -> None:
    stages = Stages(870, **PUBLISHED)
    assert [stage.start for stage in stages.stages] == [0, 500, 510]
    assert [stages(step) for step in (0, 499, 500, 869, 10_000)] == [1, 1, 0.1, 0.1, 0.1]
    factors = [(stages.at(step).crop, stages.at(step).batch) for step in (0, 509, 510, 869)]
    assert factors == [(1, 1), (1, 1), (2, 0.25), (2, 0.25)]


def test_stages_scale_with_the_run() -> None:
    starts = [stage.start for stage in Stages(87, **PUBLISHED).stages]
    assert starts == [0, 50, 51]
    short = Stages(2, **PUBLISHED)  # too short for the second stage, which is passed over
    assert [short.at(step).number for step in range(3)] == [0, 2, 2]


def test_nothing_given_is_one_stage() -> None:
    stage = Stages(10).at(7)
    assert stage == (0, 0, 1, 1, 1)


def test_a_checkpoint_can_hold_them(tmp_path: Path) -> None:
    """Schedulers go into checkpoints, which are loaded without running any code in them."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, Stages(870, **PUBLISHED))
    torch.save(scheduler.state_dict(), tmp_path / "state")
    scheduler.load_state_dict(torch.load(tmp_path / "state", weights_only=True))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lengths": [1, 1], "crops": [1]}, "as long as"),
        ({"lengths": []}, "as long as"),
        ({"lengths": [1, 0]}, "positive"),
        ({"lengths": [1, 1], "batches": [1, -1]}, "positive"),
    ],
)
def test_recipes_that_make_no_sense(options: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Stages(10, **options)
