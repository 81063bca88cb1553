import pytest

from glic_pyg.training.schedules import StepDrop, WarmupHoldDecay


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
