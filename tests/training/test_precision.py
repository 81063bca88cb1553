"""Mixed precision: bfloat16 follows float32; float16 is refused."""

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision

from glic_pyg.errors import TrainingError

PRECISIONS = {
    "float32": lambda: {},
    "bfloat16": lambda: {"precision": "bf16-mixed"},
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
    for key in ("val/bpp", "val/psnr", "val/H_theta", "train/H_theta"):
        assert measured["bfloat16"][key] == pytest.approx(measured["float32"][key], rel=0.1), key


def test_float16_is_refused(make_module, make_data, make_trainer) -> None:
    scaler = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))
    with pytest.raises(TrainingError, match="bf16-mixed or 32-true, not 16-mixed"):
        make_trainer(1, plugins=[scaler]).fit(make_module(), make_data(1))
