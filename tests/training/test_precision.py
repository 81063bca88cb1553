"""Mixed precision: bfloat16, and float16 with its loss scales."""

import math
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor

from glic_pyg.training.loss import RateDistortionLoss
from glic_pyg.training.parameter_groups import parameter_groups
from tests.training.conftest import states_equal


def float16(scale: float = 2.0**16) -> dict[str, Any]:
    """Options of a trainer: Lightning offers float16 on GPUs only, torch on CPUs too."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}


PRECISIONS = {
    "float32": lambda: {},
    "bfloat16": lambda: {"precision": "bf16-mixed"},
    "float16": lambda: float16(2.0**8),
}


def test_training_in_half_precision_follows_float32(
    make_module, make_data, make_trainer, regularized
) -> None:
    measured = {}
    for name, options in PRECISIONS.items():
        module = make_module(steps=40, lr=1e-2, ema_decay=0.5, **regularized(0.01))
        trainer = make_trainer(40, **options())
        trainer.fit(module, make_data(40, validate=True))
        assert trainer.global_step == 40
        assert all(p.dtype == torch.float32 and p.isfinite().all() for p in module.parameters())
        measured[name] = {key: value.item() for key, value in trainer.callback_metrics.items()}
    for name in ("bfloat16", "float16"):
        for key in ("val/bpp", "val/psnr", "val/H_theta", "train/H_theta"):
            assert measured[name][key] == pytest.approx(measured["float32"][key], rel=0.1), (name, key)


def test_gradients_are_unscaled_before_they_are_clipped(
    make_module, make_data, make_trainer, regularized
) -> None:
    norms = []
    for options in ({}, float16(2.0**8)):
        module, trainer = make_module(**regularized(0.01)), make_trainer(1, **options)
        trainer.fit(module, make_data(1))
        norms.append([trainer.callback_metrics[f"grad_norm/{group}"].item() for group in ("codec", "theta")])
    assert norms[0] == pytest.approx(norms[1], rel=0.02)


class Listen(lightning.Callback):
    """Keeps the loss scales and a weight after every step."""

    def __init__(self) -> None:
        self.scales: list[tuple[float, float]] = []
        self.weights: list[Tensor] = []

    def on_train_batch_end(self, trainer, module, *_) -> None:
        theta = module.turns["theta"].scaler.scaler.get_scale() if "theta" in module.turns else math.nan
        self.scales.append((trainer.precision_plugin.scaler.get_scale(), theta))
        self.weights.append(next(iter(parameter_groups(module.model).codec.values())).detach().clone())


def test_an_overflow_halves_the_scale_and_is_no_bad_step(
    make_module, make_data, make_trainer, caplog
) -> None:
    listen = Listen()
    module = make_module(max_skipped=2)
    before = module.model.g_a.weight.clone()
    make_trainer(12, callbacks=[listen], **float16(2.0**14)).fit(module, make_data(12))
    scales = [codec for codec, _ in listen.scales]
    assert scales[:2] == [2.0**13, 2.0**12]  # as many overflows in a row as bad steps would end the run
    assert torch.equal(listen.weights[0], before)
    assert not torch.equal(listen.weights[-1], before)
    assert "skipped" not in caplog.text


def test_a_loss_that_is_not_finite_is_a_bad_step_in_float16_too(make_module, make_data, make_trainer) -> None:
    class Broken(RateDistortionLoss):
        def forward(self, *args):
            terms = super().forward(*args)
            return terms._replace(loss=terms.loss * math.nan)

    with pytest.raises(FloatingPointError, match="2 bad steps in a row"):
        make_trainer(4, **float16(2.0**8)).fit(make_module(loss=Broken(0.01), max_skipped=2), make_data(4))


def test_theta_overflows_alone(make_module, make_data, make_trainer, regularized) -> None:
    """Its loss scale is its own: alpha = 0 remains plain training."""
    plain, beside = make_module(), make_module(**regularized(0.0))
    healthy = beside.regularizer.source_loss
    beside.regularizer.source_loss = lambda x, x_hat: healthy(x, x_hat) * (1e30 if beside.step == 1 else 1)
    listen = Listen()
    make_trainer(3, **float16(2.0**8)).fit(plain, make_data(3))
    make_trainer(3, callbacks=[listen], **float16(2.0**8)).fit(beside, make_data(3))
    assert states_equal(plain.model.state_dict(), beside.model.state_dict())
    assert [codec for codec, _ in listen.scales] == [2.0**8] * 3
    theta = [theta for _, theta in listen.scales]
    assert theta[1] == theta[0] / 2


def test_the_loss_scales_are_resumed(make_module, make_data, make_trainer, regularized, tmp_path) -> None:
    path, whole, rest = tmp_path / "half.ckpt", Listen(), Listen()
    straight = make_module(**regularized(0.02))
    make_trainer(6, callbacks=[whole], **float16(2.0**11)).fit(straight, make_data(6))
    first = make_trainer(3, **float16(2.0**11))
    first.fit(make_module(**regularized(0.02)), make_data(6))
    first.save_checkpoint(path)
    resumed, trainer = make_module(**regularized(0.02)), make_trainer(6, callbacks=[rest], **float16(2.0**5))
    trainer.fit(resumed, make_data(6), ckpt_path=path, weights_only=True)
    assert whole.scales[3:] == rest.scales
    assert not torch.equal(whole.weights[2], whole.weights[5])
    assert states_equal(straight.state_dict(), resumed.state_dict())
