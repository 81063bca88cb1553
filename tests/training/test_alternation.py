"""Codec and source model in turns: who moves when, and what theta leaves behind (nothing)."""

from pathlib import Path

import lightning
import pytest
import torch

from glic_pyg.errors import TrainingError
from glic_pyg.models.weights import weights_of
from glic_pyg.training.alternation import Alternation
from glic_pyg.training.callbacks.export import ExportWeights
from glic_pyg.training.module import CodecModule
from tests.training.conftest import states_equal

STEPS = 4


def codec_after(
    make_module, make_data, make_trainer, steps: int = STEPS, **options
) -> dict[str, torch.Tensor]:
    """The codec's weights after a run."""
    module = make_module(**options)
    make_trainer(steps).fit(module, make_data(steps))
    return module.model.state_dict()


@pytest.mark.parametrize("source_first", [False, True])
def test_alpha_zero_is_plain_training(
    make_module, make_data, make_trainer, regularized, source_first
) -> None:
    run = (make_module, make_data, make_trainer)
    turns = {"alternation": Alternation(source_steps=2, source_first=source_first)}
    plain = codec_after(*run)
    assert states_equal(plain, codec_after(*run, **regularized(0.0), **turns))
    assert not states_equal(plain, codec_after(*run, **regularized(0.05), **turns))


def test_alpha_zero_is_plain_training_under_bfloat16(
    make_module, make_data, make_trainer, regularized
) -> None:
    states = []
    for options in ({}, regularized(0.0)):
        module = make_module(**options)
        make_trainer(2, precision="bf16-mixed").fit(module, make_data(2))
        states.append(module.model.state_dict())
    assert states_equal(*states)


def test_turns_leave_each_other_alone(make_module, make_data, make_trainer, regularized, monkeypatch) -> None:
    """T10: the codec's turn gives theta no gradient, theta's turn changes neither codec nor its gradient."""
    module = make_module(**regularized(0.05))
    learn = CodecModule._update_source
    turns = []

    def watched(module: CodecModule, metrics, micro_batches) -> None:
        assert all(p.grad is None for p in module.regularizer.parameters())
        codec = list(module.model.parameters())
        before = [(p.clone(), p.grad.clone()) for p in codec]
        theta = [p.clone() for p in module.regularizer.parameters()]
        learn(module, metrics, micro_batches)
        assert all(
            torch.equal(p, w) and torch.equal(p.grad, g) for p, (w, g) in zip(codec, before, strict=True)
        )
        turns.append(
            [not torch.equal(p, w) for p, w in zip(module.regularizer.parameters(), theta, strict=True)]
        )

    monkeypatch.setattr(CodecModule, "_update_source", watched)
    make_trainer(3).fit(module, make_data(3))
    assert len(turns) == 3 and all(turns[-1])


def test_ratio_of_steps(make_module, make_data, make_trainer, regularized) -> None:
    for alternation, expected in ((Alternation(source_steps=3), 12), (Alternation(every=2), 2)):
        module, trainer = make_module(**regularized(0.01), alternation=alternation), make_trainer(4)
        trainer.fit(module, make_data(4))
        steps = {state["step"].item() for state in trainer.optimizers[2].state.values()}
        assert steps == {expected}
        assert trainer.global_step == 4
        assert [config.scheduler.last_epoch for config in trainer.lr_scheduler_configs] == [4, 4, 4]


def test_order_decides_which_theta_the_codec_meets(make_module, make_data, make_trainer, regularized) -> None:
    run = (make_module, make_data, make_trainer)
    states = [
        codec_after(*run, steps=1, **regularized(0.05), alternation=Alternation(source_first=first))
        for first in (False, True)
    ]
    assert not states_equal(*states)


def test_alpha_rises_after_its_start(make_module, make_data, make_trainer, regularized) -> None:
    logged = []

    class Listen(lightning.Callback):
        def on_train_batch_end(self, trainer, *_) -> None:
            logged.append(trainer.callback_metrics["train/alpha"].item())

    make_trainer(6, callbacks=[Listen()]).fit(make_module(**regularized(0.04, start=1, ramp=3)), make_data(6))
    assert logged == pytest.approx([0, 0.01, 0.02, 0.03, 0.04, 0.04])


def test_theta_learns(make_module, make_data, make_trainer, regularized) -> None:
    trainer = make_trainer(1)
    trainer.fit(make_module(**regularized(0.0)), make_data(1, validate=True))
    start = trainer.callback_metrics["val/H_theta"].item()
    trainer = make_trainer(60)
    options = regularized(0.0)
    trainer.fit(make_module(steps=60, lr=1e-2, ema_decay=0.5, **options), make_data(60, validate=True))
    assert trainer.callback_metrics["val/H_theta"].item() < start - 1
    assert trainer.callback_metrics["train/r"].item() == 0


def test_theta_changes_no_byte_of_the_exported_file(
    make_module, make_data, make_trainer, regularized, tmp_path: Path
) -> None:
    def save(path: Path, model: torch.nn.Module, card: dict) -> None:
        path.write_bytes(b"".join(t.numpy().tobytes() for t in weights_of(model).values()))

    module = make_module(**regularized(0.05))
    export = ExportWeights(str(tmp_path / "with.bin"), save)
    trainer = make_trainer(2, callbacks=[export])
    trainer.fit(module, make_data(2))
    assert not [name for name in module.model.state_dict() if "theta" in name or "regularizer" in name]
    with module.finished_model() as model:
        names = set(dict(model.named_parameters()))
    assert names == set(dict(make_module().model.named_parameters()))
    module.regularizer = None
    export.path = tmp_path / "without.bin"
    export.on_train_end(trainer, module)
    assert (tmp_path / "with.bin").read_bytes() == (tmp_path / "without.bin").read_bytes()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"source_optimizer": None}, "needs an optimizer"),
        ({"alternation": Alternation(source_first=True), "micro_batches": 2}, "set micro_batches=1"),
        ({"micro_batches": 0}, "1 part or more, not micro_batches=0"),
    ],
)
def test_contradictions_are_refused(make_module, regularized, options, sentence) -> None:
    with pytest.raises(TrainingError, match=sentence):
        make_module(**{**regularized(0.01), **options})


@pytest.mark.parametrize("options", [{"source_steps": 0}, {"every": 0}])
def test_impossible_ratios_are_refused(options: dict) -> None:
    with pytest.raises(TrainingError, match="at least 1 step"):
        Alternation(**options)


def test_crops_that_do_not_fit_are_refused(make_module, make_data, make_trainer, regularized) -> None:
    with pytest.raises(
        TrainingError, match="Crops of 24x24 do not fit TinyCodec, which takes multiples of 16"
    ):
        make_trainer(1).fit(make_module(**regularized(0.01)), make_data(1, crop=24))
