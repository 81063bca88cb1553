"""Groups, steps, terms and the average of the module."""

import logging
import math

import pytest
import torch

from glic_pyg.training.contract import TrainableCodec
from glic_pyg.training.loss import RateDistortionLoss
from glic_pyg.training.parameter_groups import split_parameters
from tests.training.tiny_codec import TinyCodec


def test_stand_in_keeps_the_contract() -> None:
    assert isinstance(TinyCodec(), TrainableCodec)


def test_groups_are_disjoint_and_complete(make_module) -> None:
    module = make_module()
    optimizers, _ = module.configure_optimizers()
    owned = [[id(p) for g in optimizer.param_groups for p in g["params"]] for optimizer in optimizers]
    everything = {id(p) for p in module.model.parameters()}
    assert set(owned[0]) | set(owned[1]) == everything
    assert len(owned[0]) + len(owned[1]) == len(everything)
    assert owned[1] == [id(module.model.bottleneck.quantiles)]


def test_frozen_parameters_belong_to_nobody() -> None:
    model = TinyCodec()
    model.g_a.requires_grad_(False)
    codec, quantiles = split_parameters(model)
    assert not {id(p) for p in model.g_a.parameters()} & {id(p) for p in codec + quantiles}


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
    optimizer = torch.optim.Adam(split_parameters(module.model)[0], lr=1e-2)
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


def test_gradient_is_clipped(make_module, make_data, make_trainer, monkeypatch) -> None:
    norms = []
    module = make_module(clip_norm=1e-3)
    codec, _ = split_parameters(module.model)
    step = torch.optim.Adam.step

    def watched(self, *args, **kwargs):
        if self.param_groups[0]["params"][0] is codec[0]:
            norms.append(torch.stack([p.grad.norm() for p in codec]).norm().item())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    make_trainer(2).fit(module, make_data(2))
    assert norms == pytest.approx([1e-3, 1e-3], rel=1e-3)


def test_a_step_that_is_not_finite_is_skipped(make_module, make_data, make_trainer, caplog) -> None:
    class Broken(RateDistortionLoss):
        calls = 0

        def forward(self, *args):
            terms = super().forward(*args)
            self.calls += 1
            return terms._replace(loss=terms.loss * (math.nan if self.calls == 2 else 1))

    module, trainer = make_module(loss=Broken(0.01)), make_trainer(3)
    with caplog.at_level(logging.WARNING):
        trainer.fit(module, make_data(3))
    assert "step 1 skipped" in caplog.text
    assert trainer.global_step == 3
    assert all(p.isfinite().all() for p in module.parameters())


def test_too_many_bad_steps_end_the_run(make_module, make_data, make_trainer) -> None:
    class Broken(RateDistortionLoss):
        def forward(self, *args):
            terms = super().forward(*args)
            return terms._replace(loss=terms.loss * math.nan)

    module = make_module(loss=Broken(0.01), max_skipped=3)
    with pytest.raises(FloatingPointError, match="3 steps in a row"):
        make_trainer(8).fit(module, make_data(8))


def test_bfloat16_autocast_trains(make_module, make_data, make_trainer) -> None:
    module, trainer = make_module(), make_trainer(2, precision="bf16-mixed")
    trainer.fit(module, make_data(2, validate=True))
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in module.parameters())
