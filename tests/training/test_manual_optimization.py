"""A step that is not finite is skipped, its source is named, and the run ends before harm is done."""

import csv
import logging
import math
from pathlib import Path

import lightning
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from glic_pyg.graph.similarity import unit_features
from glic_pyg.training import validation
from glic_pyg.training.callbacks.checkpoint import LastCheckpoint
from glic_pyg.training.callbacks.images import ValidationImages
from glic_pyg.training.losses import RateDistortionLoss
from tests.training.conftest import states_equal
from tests.training.tiny_codec import TinyCodec


class BrokenCodec(TinyCodec):
    """Its reconstruction or one of its gradients is spoilt in some of its forward passes."""

    def __init__(self, where: str, when: tuple[int, ...]) -> None:
        torch.manual_seed(3)
        super().__init__()
        self.where, self.when, self.calls = where, when, 0

    def forward(self, x: Tensor) -> dict:
        out = super().forward(x)
        if self.training and self.calls in self.when:
            if self.where == "x_hat":
                out["x_hat"] = out["x_hat"] * math.nan
            elif self.where == "graph":
                self.calls += 1
                unit_features(out["x_hat"].flatten(1) * math.inf)
            elif self.where == "likelihood":
                out["likelihoods"]["y"] = out["likelihoods"]["y"] * 0
            else:
                out["x_hat"] = out["x_hat"] + (self.g_s.bias * 0).abs().sqrt().sum()  # value 0, gradient NaN
        self.calls += self.training
        return out


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("x_hat", "x_hat"),
        ("likelihood", "the loss"),
        ("graph", "a feature map"),
        ("gradient", "the gradient of g_s.bias"),
    ],
)
def test_one_bad_step_is_skipped(
    make_module, make_data, make_trainer, caplog, where: str, source: str
) -> None:
    module, trainer = make_module(model=BrokenCodec(where, (1,))), make_trainer(3)
    states = []
    module.begin_step, begin = lambda names: (states.append(_copy(module)), begin(names)), module.begin_step
    with caplog.at_level(logging.WARNING):
        trainer.fit(module, make_data(3))
    [line] = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert line.startswith(f"step 1 skipped: {source} is not finite (batch of ")
    assert ".png" in line
    assert trainer.global_step == 3
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == 3
    assert states_equal(states[1], states[2])
    assert not states_equal(states[0], states[1])
    assert all(p.isfinite().all() for p in module.parameters())


def _copy(module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_a_bad_source_step_is_skipped_too(make_module, make_data, make_trainer, regularized, caplog) -> None:
    module, trainer = make_module(**regularized(0.0)), make_trainer(2)
    healthy = module.regularizer.source_loss
    module.regularizer.source_loss = lambda x, x_hat: (
        healthy(x, x_hat) * (math.nan if module.step == 1 else 1)
    )
    with caplog.at_level(logging.WARNING):
        trainer.fit(module, make_data(2))
    assert "step 1 skipped: H_theta is not finite" in caplog.text
    assert all(p.isfinite().all() for p in module.regularizer.parameters())


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_map_without_a_graph_has_no_figures(
    make_module, make_data, make_trainer, tmp_path: Path, micro_batches: int
) -> None:
    """Also if it is one part of the batch only, whose other part has a finite loss."""
    module = make_module(model=BrokenCodec("graph", (1,)), micro_batches=micro_batches)
    logger = CSVLogger(tmp_path, flush_logs_every_n_steps=1)
    make_trainer(3, logger=logger).fit(module, make_data(3))
    with open(f"{logger.log_dir}/metrics.csv") as file:
        rows = list(csv.DictReader(file))
    bad = 1 if micro_batches == 1 else 0
    assert [row["train/loss"] == "nan" for row in rows] == [number == bad for number in range(3)]
    assert all(float(row["train/loss"]) > 0.1 for number, row in enumerate(rows) if number != bad)


def test_a_image_without_a_graph_is_left_out_of_the_validation(
    make_module, make_data, make_trainer, caplog
) -> None:
    class Refuses(TinyCodec):
        def forward(self, x: Tensor) -> dict:
            if not self.training and x.shape[-2:] == (48, 64):  # 1.png
                unit_features(x.flatten(1) * math.nan)
            return super().forward(x)

    trainer = make_trainer(1, callbacks=[ValidationImages()])
    with caplog.at_level(logging.WARNING):
        trainer.fit(make_module(model=Refuses(), ema_decay=None), make_data(1, validate=True))
    [line] = [r.getMessage() for r in caplog.records if "not validated" in r.getMessage()]
    assert "1.png" in line and "holds NaN" in line
    assert trainer.callback_metrics["val/psnr"].isfinite()


def test_an_infinite_figure_is_left_out_of_the_mean(
    make_module, make_data, make_trainer, caplog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the PSNR of an image that is met exactly."""
    values = iter([20.0, math.inf, 30.0, 40.0, 10.0])
    monkeypatch.setattr(validation, "psnr", lambda x_hat, x: torch.tensor([next(values)]))
    trainer = make_trainer(1)
    with caplog.at_level(logging.WARNING):
        trainer.fit(make_module(), make_data(1, validate=True))
    assert trainer.callback_metrics["val/psnr"] == 25
    [line] = [r.getMessage() for r in caplog.records if "left out of the mean" in r.getMessage()]
    assert line.startswith("val/psnr of ") and "1.png is inf" in line


def test_a_good_step_starts_the_count_anew(make_module, make_data, make_trainer) -> None:
    module = make_module(model=BrokenCodec("x_hat", (0, 1, 3, 4)), max_skipped=3)
    trainer = make_trainer(6)
    trainer.fit(module, make_data(6))
    assert trainer.global_step == 6


def test_too_many_bad_steps_end_the_run(make_module, make_data, make_trainer, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    module = make_module(model=BrokenCodec("x_hat", tuple(range(2, 8))), max_skipped=3)
    trainer = make_trainer(8, callbacks=[LastCheckpoint(str(path), every_n_steps=1)])
    with pytest.raises(FloatingPointError, match=r"x_hat was not finite in step 4 .*3 bad steps in a row"):
        trainer.fit(module, make_data(8))
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["global_step"] == 2  # the last good one
    resumed = make_module()
    make_trainer(8).fit(resumed, make_data(8), ckpt_path=str(path), weights_only=True)
    straight = make_module()
    make_trainer(8).fit(straight, make_data(8))
    assert states_equal(resumed.state_dict(), straight.state_dict())


def test_batches_without_names_are_told_by_number(make_module, make_data, make_trainer, caplog) -> None:
    class NoNames(lightning.Callback):
        def on_train_batch_start(self, trainer, module, batch, number) -> None:
            module.begin_step = lambda names: type(module).begin_step(module, ())

    class Broken(RateDistortionLoss):
        def forward(self, *args):
            terms = super().forward(*args)
            return terms._replace(loss=terms.loss * math.nan)

    with caplog.at_level(logging.WARNING):
        make_trainer(1, callbacks=[NoNames()]).fit(make_module(loss=Broken(0.01)), make_data(1))
    assert "step 0 skipped: the loss is not finite (batch 0)" in caplog.text
