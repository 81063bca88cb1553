"""Groups, steps, terms and the average of the module."""

import math
from functools import partial

import pytest
import torch

from glic_pyg.models.base import Codec
from glic_pyg.regularizer.regularizer import entropy_bound
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.optimizers import parameter_groups
from tests.training.tiny_codec import TinyCodec


def test_stand_in_keeps_the_contract() -> None:
    assert isinstance(TinyCodec(), Codec)


def test_one_batch_is_one_step_and_everything_moves(make_module, make_data, make_trainer) -> None:
    module, trainer = make_module(), make_trainer(3)
    before = {name: p.clone() for name, p in module.model.named_parameters()}
    trainer.fit(module, make_data(3))
    assert trainer.global_step == 3
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == 3
    assert not [name for name, p in module.model.named_parameters() if torch.equal(p, before[name])]


def test_ortho_term_alone_moves_the_side_map(make_module, make_data, make_trainer) -> None:
    moved = {}
    for weight in (0.0, 0.1):
        module = make_module(loss=RateDistortionLoss(0.01, ortho_weight=weight))
        before = module.model.side.weight.clone()
        make_trainer(1).fit(module, make_data(1))
        moved[weight] = not torch.equal(before, module.model.side.weight)
    assert moved == {0.0: False, 0.1: True}


def test_loss_goes_down_on_one_batch(make_module) -> None:
    module = make_module(steps=150, lr=1e-2, ema_decay=0.9)
    batch = torch.rand(2, 3, 4, 4).repeat_interleave(8, -1).repeat_interleave(8, -2)
    optimizer = torch.optim.Adam(parameter_groups(module.model).codec.values(), lr=1e-2)
    losses = []
    for _ in range(150):
        out = module.model(batch)
        terms = module.loss(batch, out["x_hat"], out["likelihoods"], module.model.ortho_loss())
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
        losses.append(terms.loss.item())
    assert losses[-1] < losses[0] / 4


def test_training_lowers_the_validation_loss(make_module, make_data, make_trainer) -> None:
    trainer = make_trainer(1)
    trainer.fit(make_module(), make_data(1, validate=True))
    start = trainer.callback_metrics["val/loss"].item()
    trainer = make_trainer(120)
    trainer.fit(make_module(steps=120, lr=1e-2, ema_decay=0.9), make_data(120, validate=True))
    assert trainer.callback_metrics["val/loss"].item() < start / 2
    assert trainer.callback_metrics["val/psnr"].item() > 12


@pytest.mark.parametrize(("clip_norm", "expected"), [(1e-3, 1e-3), (None, None)])
def test_gradient_is_clipped(make_module, make_data, make_trainer, clip_norm, expected) -> None:
    module = make_module(clip_norm=clip_norm, codec_optimizer=partial(torch.optim.SGD, lr=1.0))
    module.schedule = lambda step: 1.0
    before = {name: p.clone() for name, p in parameter_groups(module.model).codec.items()}
    trainer = make_trainer(1)
    trainer.fit(module, make_data(1))
    moved = torch.stack(
        [(p - before[name]).norm() for name, p in parameter_groups(module.model).codec.items()]
    )
    norm = trainer.callback_metrics["grad_norm/codec"].item()  # before clipping
    assert norm > 1
    assert moved.norm().item() == pytest.approx(expected or norm, rel=1e-3)


def test_without_an_average_the_weights_themselves_are_validated(
    make_module, make_data, make_trainer
) -> None:
    module, trainer = make_module(ema_decay=None), make_trainer(2)
    trainer.fit(module, make_data(2, validate=True))
    assert not [name for name in module.state_dict() if name.startswith("ema")]
    with module.finished_model() as model:
        assert model is module.model
    assert trainer.callback_metrics["val/psnr"].item() > 0


def test_figures_of_every_step(make_module, make_data, make_trainer, regularized) -> None:
    trainer = make_trainer(1)
    trainer.fit(make_module(**regularized(0.01)), make_data(1, validate=True))
    figures = trainer.callback_metrics
    assert {
        f"train/{name}" for name in ("loss", "bpp", "psnr", "ortho", "aux", "H_theta", "alpha", "r", "cosine")
    } <= set(figures)
    assert {
        f"{kind}/{group}" for kind in ("grad_norm", "lr") for group in ("codec", "quantiles", "theta")
    } <= set(figures)
    assert {"val/bpp", "val/psnr", "val/loss", "val/H_theta"} <= set(figures)
    mse = 10 ** (-figures["train/psnr"].item() / 10)
    critical = 2 * math.log(2) / 3 * 0.01 * 255**2 * mse
    assert figures["train/r"].item() == pytest.approx(0.01 / critical, rel=1e-4)
    terms = (
        figures["train/bpp"]
        + 0.01 * 255**2 * mse
        + 0.1 * figures["train/ortho"]
        - 0.01 * figures["train/H_theta"]
    )
    assert figures["train/loss"].item() == pytest.approx(terms.item(), rel=1e-4)
    plain = terms + 0.01 * figures["train/H_theta"]
    assert figures["train/loss_plain"].item() == pytest.approx(plain.item(), rel=1e-4)
    assert figures["train/H_bound"].item() == pytest.approx(entropy_bound(mse), rel=1e-5)
