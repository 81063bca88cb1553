"""A run whose loss jumps returns to earlier weights at half the learning rate; rates differ by name."""

from __future__ import annotations

import copy
import logging
import math

import lightning
import numpy as np
import pytest
import torch

from glic_pyg.errors import TrainingError
from glic_pyg.training.callbacks.rollback import RollBack, has_jumped
from tests.training.conftest import states_equal


class Spoil(lightning.Callback):
    """Ruins the weights after a step, as a diverging optimizer does; keeps the weights of every step."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps
        self.weights: dict[int, dict[str, torch.Tensor]] = {}
        self.rates: dict[int, list[float]] = {}

    def on_train_batch_end(self, trainer, module, *args) -> None:
        step = trainer.global_step
        self.weights[step] = copy.deepcopy(module.state_dict())
        self.rates[step] = [group["lr"] for group in module.named_optimizers["codec"].param_groups]
        if step in self.steps:
            with torch.no_grad():
                module.model.g_s.weight.add_(1)


GUARD = {"window": 6, "recent": 2, "every": 2}


def test_returns_to_the_older_snapshot_at_half_the_rate(make_module, make_data, make_trainer, caplog) -> None:
    guard, spoil = RollBack(**GUARD), Spoil(8)
    module = make_module(steps=40, schedule=lambda step: 1.0)
    with caplog.at_level(logging.WARNING):
        make_trainer(14, callbacks=[guard, spoil]).fit(module, make_data(14))
    assert guard.returns == 1
    assert "the loss jumped; back to the weights of step 6, at 0.5 of the learning rate" in caplog.text
    returned = next(step for step in range(9, 15) if spoil.rates[step] == [5e-4])
    assert states_equal(spoil.weights[returned], spoil.weights[6])
    assert all(rates == [5e-4] for step, rates in spoil.rates.items() if step >= returned)
    assert (module.model.g_s.weight - spoil.weights[6]["model.g_s.weight"]).abs().max() < 0.1


def test_a_skipped_step_does_not_blind_it(make_module, make_data, make_trainer) -> None:
    """The loss of a step that was skipped is NaN; a jump within the window after it is seen all the same."""
    guard, spoil = RollBack(**GUARD), Spoil(8)
    module = make_module(steps=40, schedule=lambda step: 1.0)
    healthy = module.loss.distortion
    module.loss.distortion = lambda x_hat, x: healthy(x_hat, x) * (math.nan if module.step == 6 else 1)
    make_trainer(12, callbacks=[guard, spoil]).fit(module, make_data(12))
    assert guard.returns == 1


def test_a_calm_run_is_left_alone(make_module, make_data, make_trainer) -> None:
    plain, guarded = make_module(), make_module()
    make_trainer(8).fit(plain, make_data(8))
    guard = RollBack(**GUARD)
    make_trainer(8, callbacks=[guard]).fit(guarded, make_data(8))
    assert guard.returns == 0 and states_equal(plain.state_dict(), guarded.state_dict())


def test_losses_that_scatter_by_themselves_are_no_jump() -> None:
    """Images differ so much that the mean of 20 losses of 16 crops is off by a fifth now and then."""
    losses = np.random.default_rng(0).lognormal(0, 0.5, 6000)
    window = [(losses[i : i + 180], losses[i + 180 : i + 200]) for i in range(5800)]
    assert any(has_jumped(usual, recent, 0.2, 0) for usual, recent in window)
    assert not any(has_jumped(usual, recent, 0.2, 6) for usual, recent in window)
    assert all(has_jumped(usual, 2.5 * recent, 0.2, 6) for usual, recent in window[::100])


def test_too_many_returns_end_the_run(make_module, make_data, make_trainer) -> None:
    callbacks = [RollBack(**GUARD, max_returns=0), Spoil(8)]
    with pytest.raises(FloatingPointError, match=r"jumped by more than 20%.*lower learning rate"):
        make_trainer(14, callbacks=callbacks).fit(make_module(steps=40), make_data(14))


def test_learning_rates_by_name(make_module, make_data, make_trainer) -> None:
    spoil = Spoil()
    module = make_module(lr_scales={"side.*": 0.1, "g_?.bias": 0.5}, schedule=lambda step: 0.5)
    make_trainer(1, callbacks=[spoil]).fit(module, make_data(1))
    groups = module.named_optimizers["codec"].param_groups
    by_rate = {round(group["lr"], 9): {id(p) for p in group["params"]} for group in groups}
    named = {name: id(p) for name, p in module.model.named_parameters()}
    assert by_rate[5e-5] == {named["side.weight"]}
    assert by_rate[2.5e-4] == {named["g_a.bias"], named["g_s.bias"]}
    assert {named["g_a.weight"], named["g_s.weight"]} <= by_rate[5e-4]
    assert sum(map(len, by_rate.values())) == len(named) - 1, "the quantiles have their own optimizer"


def test_a_pattern_without_parameters_is_refused(make_module, make_data, make_trainer) -> None:
    with pytest.raises(TrainingError, match="no parameter of the codec matches 'haar"):
        make_trainer(1).fit(make_module(lr_scales={"haar.*": 0.1}), make_data(1))
