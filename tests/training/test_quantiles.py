"""Quantiles that are solved for are those that Adam would arrive at."""

from collections.abc import Callable

import pytest
import torch
from compressai.entropy_models import EntropyBottleneck

from glic_pyg.training.callbacks.export import ExportWeights
from glic_pyg.training.quantiles import quantiles_solved, solve_quantiles
from tests.training.conftest import states_equal


@pytest.fixture
def bottleneck() -> EntropyBottleneck:
    """Of an uneven density."""
    torch.manual_seed(1)
    model = EntropyBottleneck(5, init_scale=3)
    with torch.no_grad():
        for parameter in (*model.biases, *model.factors):
            parameter.add_(0.5 * torch.randn_like(parameter))
    return model


def test_solution_is_exact(bottleneck: EntropyBottleneck) -> None:
    assert bottleneck.loss().item() > 1
    solve_quantiles(bottleneck)
    low, median, high = bottleneck.quantiles.detach().double()[:, 0].T
    assert (low < median).all() and (median < high).all()
    exact = bottleneck.double()
    slope = torch.autograd.functional.jacobian(
        lambda q: exact._logits_cumulative(q, stop_gradient=True).sum((1, 2)), exact.quantiles.detach()
    ).sum(0)
    error = exact._logits_cumulative(exact.quantiles, stop_gradient=True) - exact.target
    rounding = exact.quantiles.abs() * 2**-24 * slope  # that of float32, as a change of the logits
    assert (error.abs() <= rounding + 1e-12).all()


def test_adam_arrives_at_the_solution(bottleneck: EntropyBottleneck) -> None:
    optimizer = torch.optim.Adam([bottleneck.quantiles], lr=3.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97)
    for _ in range(400):
        optimizer.zero_grad()
        bottleneck.loss().backward()
        optimizer.step()
        schedule.step()
    trained = bottleneck.quantiles.detach().clone()
    solve_quantiles(bottleneck)
    torch.testing.assert_close(trained, bottleneck.quantiles.detach(), rtol=1e-3, atol=1e-3)


def test_afterwards_all_is_as_before(bottleneck: EntropyBottleneck) -> None:
    before = bottleneck.quantiles.detach().clone()
    with pytest.raises(KeyError), quantiles_solved(bottleneck):
        assert bottleneck.loss().item() < 1e-3
        raise KeyError
    assert torch.equal(bottleneck.quantiles, before)


@pytest.fixture
def make_solved(make_module) -> Callable:
    """Builds a module that solves for its quantiles."""
    return lambda **options: make_module(quantile_optimizer=None, **options)


def test_training_solves_now_and_then(make_solved, make_data, make_trainer) -> None:
    module, trainer = make_solved(solve_every=3), make_trainer(3)
    before = module.model.bottleneck.quantiles.clone()
    make_trainer(2).fit(make_solved(solve_every=3), make_data(3))
    trainer.fit(module, make_data(3))
    assert not torch.equal(module.model.bottleneck.quantiles, before)
    assert module.model.bottleneck.loss().item() < 1e-2
    assert len(trainer.optimizers) == 1 and trainer.global_step == 3


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_what_is_validated_and_exported_is_solved(
    make_solved, make_data, make_trainer, tmp_path, ema_decay
) -> None:
    seen = []

    def save(path, model, card) -> None:
        seen.append(model.bottleneck.loss().item())
        torch.save(model.state_dict(), path)

    options = {"ema_decay": ema_decay, "solve_every": 10**6}
    module = make_solved(**options)
    make_trainer(4, val_check_interval=2, callbacks=[ExportWeights(str(tmp_path / "w.pt"), save)]).fit(
        module, make_data(4, validate=True)
    )
    assert len(seen) == 3 and max(seen) < 1e-2
    assert module.model.bottleneck.loss().item() > 1
    undisturbed = make_solved(**options)
    make_trainer(4).fit(undisturbed, make_data(4))
    assert states_equal(module.state_dict(), undisturbed.state_dict())
