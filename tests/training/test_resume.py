"""A run that was stopped and resumed equals one that was not."""

from pathlib import Path

import lightning
import pytest
import torch

from glic_pyg.training.alternation import Alternation
from glic_pyg.training.callbacks.checkpoint import LastCheckpoint
from glic_pyg.training.module import CodecModule
from glic_pyg.training.schedules import WarmupHoldDecay
from tests.training.conftest import states_equal


class StopAt(lightning.Callback):
    """Breaks the run off, between two steps or inside one."""

    def __init__(self, step: int, inside: bool) -> None:
        self.step = step
        self.inside = inside

    def on_train_batch_start(self, trainer, *args) -> None:
        if self.inside and trainer.global_step == self.step:
            raise RuntimeError("broken off")

    def on_validation_start(self, trainer, module) -> None:
        if not self.inside and trainer.global_step == self.step:
            raise RuntimeError("broken off")


@pytest.fixture
def straight(make_module, make_data, make_trainer):
    """Weights, averages and optimizer moments after 8 steps without a stop."""
    module = make_module()
    trainer = make_trainer(8)
    trainer.fit(module, make_data(8))
    assert trainer.global_step == 8
    return module.state_dict(), trainer.optimizers[0].state_dict()["state"]


def assert_same(straight, module, trainer) -> None:
    weights, moments = straight
    assert trainer.global_step == 8
    assert states_equal(weights, module.state_dict())
    resumed = trainer.optimizers[0].state_dict()["state"]
    assert moments.keys() == resumed.keys()
    for key, state in moments.items():
        assert states_equal(state, resumed[key])


@pytest.mark.parametrize("loader_steps", [8, 4])
def test_stop_at_max_steps(
    straight, make_module, make_data, make_trainer, tmp_path: Path, loader_steps: int
) -> None:
    path = tmp_path / "last.ckpt"
    make_trainer(4, callbacks=[LastCheckpoint(str(path))]).fit(make_module(), make_data(loader_steps))
    module, trainer = make_module(), make_trainer(8)
    trainer.fit(module, make_data(8), ckpt_path=str(path), weights_only=True)
    assert_same(straight, module, trainer)


@pytest.mark.parametrize("inside", [False, True])
def test_broken_off(straight, make_module, make_data, make_trainer, tmp_path: Path, inside: bool) -> None:
    path = tmp_path / "last.ckpt"
    callbacks = [LastCheckpoint(str(path), every_n_steps=3), StopAt(4, inside)]
    with pytest.raises(RuntimeError, match="broken off"):
        make_trainer(8, val_check_interval=2, callbacks=callbacks).fit(
            make_module(), make_data(8, validate=True)
        )
    module, trainer = make_module(), make_trainer(8, val_check_interval=2)
    trainer.fit(module, make_data(8, validate=True), ckpt_path=str(path), weights_only=True)
    assert torch.load(path, weights_only=True)["global_step"] == (3 if inside else 4)
    assert_same(straight, module, trainer)


def test_validation_changes_nothing(straight, make_module, make_data, make_trainer) -> None:
    module, trainer = make_module(), make_trainer(8, val_check_interval=3)
    trainer.fit(module, make_data(8, validate=True))
    assert_same(straight, module, trainer)


def test_other_seed_differs(straight, make_module, make_data, make_trainer) -> None:
    module, trainer = make_module(), make_trainer(8)
    trainer.fit(module, make_data(8, seed=8))
    assert not states_equal(straight[0], module.state_dict())


def test_everything_at_once(make_module, make_data, make_trainer, regularized, tmp_path: Path) -> None:
    """Regularizer in its ramp, theta twice a batch, accumulation, average, solved quantiles."""
    path = str(tmp_path / "last.ckpt")

    def everything() -> CodecModule:
        return make_module(
            **regularized(0.05, start=1, ramp=5),
            alternation=Alternation(source_steps=2),
            micro_batches=2,
            quantile_optimizer=None,
            solve_every=3,
            ema_decay=0.9,
        )

    straight, stopped, resumed = everything(), everything(), everything()
    trainers = [make_trainer(8), make_trainer(4, callbacks=[LastCheckpoint(path)]), make_trainer(8)]
    trainers[0].fit(straight, make_data(8, batch_size=4))
    trainers[1].fit(stopped, make_data(4, batch_size=4))
    trainers[2].fit(resumed, make_data(8, batch_size=4), ckpt_path=path, weights_only=True)
    assert states_equal(straight.state_dict(), resumed.state_dict())
    assert not states_equal(straight.state_dict(), stopped.state_dict())
    for one, other in zip(trainers[0].optimizers, trainers[2].optimizers, strict=True):
        for key, state in one.state_dict()["state"].items():
            assert states_equal(state, other.state_dict()["state"][key])
    assert any(name.startswith("regularizer.model") for name in straight.state_dict())


class Rates(lightning.Callback):
    """The codec's learning rate in each step."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_before_optimizer_step(self, trainer, module, optimizer) -> None:
        if optimizer is module.named_optimizers["codec"]:
            self.found.append(optimizer.param_groups[0]["lr"])


def test_more_steps_stretch_the_schedule(make_module, make_data, make_trainer, tmp_path: Path) -> None:
    """From the first step on: neither the old length nor the old rate is kept."""
    path, rates = str(tmp_path / "last.ckpt"), Rates()
    make_trainer(4, callbacks=[LastCheckpoint(path)]).fit(make_module(4), make_data(4))
    trainer = make_trainer(8, callbacks=[rates])
    trainer.fit(make_module(8), make_data(8), ckpt_path=path, weights_only=True)
    schedule = WarmupHoldDecay(8, warmup_steps=2, hold=0.5, final=0.1)
    assert rates.found == [1e-3 * schedule(step) for step in range(4, 8)]
    assert schedule(4) != WarmupHoldDecay(4, warmup_steps=2, hold=0.5, final=0.1)(4)


def test_a_checkpoint_that_kept_its_schedule_is_stretched_too(
    make_module, make_data, make_trainer, tmp_path: Path
) -> None:
    """As earlier versions wrote it."""
    path, rates = str(tmp_path / "last.ckpt"), Rates()
    make_trainer(4, callbacks=[LastCheckpoint(path)]).fit(make_module(4), make_data(4))
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["lr_schedulers"][0]["lr_lambdas"] = [vars(WarmupHoldDecay(4, 2, 0.5, 0.1))]
    torch.save(checkpoint, path)
    trainer = make_trainer(8, callbacks=[rates])
    trainer.fit(make_module(8), make_data(8), ckpt_path=path, weights_only=True)
    assert rates.found == [1e-3 * WarmupHoldDecay(8, 2, 0.5, 0.1)(step) for step in range(4, 8)]
