"""A model of many rates in training: which quality a sample gets, and what it costs."""

from __future__ import annotations

import torch

from glic_pyg.models.gain import Gain
from glic_pyg.models.glic import GLIC
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.noise import sample_qualities
from tests.models.conftest import TINY

LEVELS = (0.001, 0.004, 0.016)


def test_a_batch_is_spread_over_the_range() -> None:
    drawn = sample_qualities(0, 7, range(4), 4)
    assert ((drawn / 25).floor() == torch.arange(4)).all()


def test_two_processes_draw_what_one_draws() -> None:
    whole = sample_qualities(0, 7, range(4), 4)
    halves = [sample_qualities(0, 7, range(rank, 4, 2), 4) for rank in range(2)]
    assert torch.equal(torch.stack(halves, 1).flatten(), whole)


def test_steps_and_seeds_differ() -> None:
    draws = [sample_qualities(seed, step, range(2), 2) for seed in (0, 1) for step in (0, 1)]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4


def test_each_image_is_weighed_by_its_own_lambda() -> None:
    x = torch.zeros(2, 3, 8, 8)
    x_hat = torch.stack([torch.full((3, 8, 8), 0.1), torch.full((3, 8, 8), 0.2)])
    likelihoods = {"y": torch.tensor([0.5, 0.25]).view(2, 1, 1, 1).expand(2, 4, 2, 2)}
    lmbdas = torch.tensor([0.01, 0.04])
    plain, balanced = (
        RateDistortionLoss(0.01, 0.0, balance=balance)(x, x_hat, likelihoods, torch.tensor(0.0), lmbdas).loss
        for balance in (0.0, 0.5)
    )
    costs = torch.tensor([16 / 64 + 0.01 * 650.25, 32 / 64 + 0.04 * 2601])
    torch.testing.assert_close(plain, costs.mean())
    torch.testing.assert_close(balanced, (costs * torch.tensor([1, 0.5])).mean())


def test_equal_lambdas_are_plain_training() -> None:
    x, x_hat = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    loss = RateDistortionLoss(0.01, balance=0.3)
    arguments = (x, x_hat, {"y": torch.rand(2, 4, 2, 2)}, torch.tensor(0.1))
    for of_many, of_one in zip(loss(*arguments, torch.full((2,), 0.01)), loss(*arguments), strict=True):
        torch.testing.assert_close(of_many, of_one)


def test_each_image_is_looked_at_once() -> None:
    """What is logged comes from the images' own terms; the whole batch is not measured again."""
    seen: list[int] = []

    def distortion(x_hat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return (x_hat - x).abs().mean()

    x = torch.rand(3, 3, 8, 8)
    terms = RateDistortionLoss(0.01, distortion=distortion)(
        x, x + 0.25, {"y": torch.rand(3, 4, 2, 2)}, torch.tensor(0.1), torch.tensor([0.01, 0.02, 0.04])
    )
    assert seen == [1, 1, 1]
    torch.testing.assert_close(terms.distortion, torch.tensor(0.25))


def test_a_run_learns_gains_and_validates_several_qualities(make_module, make_data, make_trainer) -> None:
    """In parts of a batch as in one piece."""
    learned = []
    for micro_batches in (1, 2):
        torch.manual_seed(1)
        model = GLIC(**TINY, levels=LEVELS)
        module = make_module(model=model, micro_batches=micro_batches, val_qualities=(0, 100))
        trainer = make_trainer(2)
        trainer.fit(module, make_data(2, validate=True, crop=128, small="mirror", val_limit=2))
        assert trainer.callback_metrics["val/bpp@0"] < trainer.callback_metrics["val/bpp@100"]
        assert model.rates is not None
        learned.append(model.rates.log_gain.detach())
    assert not torch.equal(learned[0], Gain(LEVELS, 16).log_gain)
    torch.testing.assert_close(learned[0], learned[1], atol=1e-5, rtol=0)
