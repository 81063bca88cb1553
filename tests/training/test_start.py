"""A run from scratch is set up from images; a resumed one is left alone."""

from pathlib import Path
from types import SimpleNamespace

import lightning
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from glic_pyg.errors import TrainingError
from glic_pyg.models.weights import weights_of
from glic_pyg.training.crops import Batch
from glic_pyg.training.module import CodecModule
from glic_pyg.training.warm_start import WarmStartFromFile, WarmStartFromImages, WarmStartFromSmaller
from tests.training.conftest import states_equal


def run(global_step: int, world_size: int = 1) -> tuple[list[Tensor], nn.Module]:
    """Calls the callback as Lightning would; returns what the start got, and the averaged model."""
    dataset = [Batch(torch.full((2, 3, 4, 4), 51 * step, dtype=torch.uint8), ()) for step in range(5)]
    loader = SimpleNamespace(dataset=dataset)
    trainer = SimpleNamespace(global_step=global_step, world_size=world_size, train_dataloader=loader)
    model, average = nn.Linear(2, 2), nn.Linear(2, 2)
    module = SimpleNamespace(model=model, device="cpu", is_initialized=False)
    module.restart_average = lambda: average.load_state_dict(model.state_dict())
    got: list[Tensor] = []

    def start(codec: nn.Linear, x: Tensor) -> None:
        got.append(x)
        nn.init.constant_(codec.weight, 7)

    WarmStartFromImages(start, batches=3).on_train_start(trainer, module)  # type: ignore[arg-type]
    return got, average


def test_new_run_starts_from_its_first_batches() -> None:
    [x], average = run(global_step=0)
    assert x.shape == (6, 3, 4, 4)
    torch.testing.assert_close(x[:, 0, 0, 0], torch.tensor([0, 0, 0.2, 0.2, 0.4, 0.4]))
    assert (average.weight == 7).all()


def test_processes_with_crops_of_their_own_do_not_start_from_them() -> None:
    with pytest.raises(TrainingError, match="made by one process"):
        run(global_step=0, world_size=2)
    assert run(global_step=1, world_size=2)[0] == []


def test_resumed_run_is_left_alone() -> None:
    got, average = run(global_step=1)
    assert got == []
    assert not (average.weight == 7).all()


@pytest.fixture
def trained(make_module, make_data, make_trainer, regularized, tmp_path: Path) -> tuple[CodecModule, Path]:
    """A module after some steps, and its checkpoint."""
    module, trainer = make_module(ema_decay=0.5, **regularized(0.01)), make_trainer(3)
    trainer.fit(module, make_data(3))
    trainer.save_checkpoint(tmp_path / "neighbour.ckpt")
    return module, tmp_path / "neighbour.ckpt"


class Stopped(Exception):
    """Before the first step."""


class StopBeforeTheFirstStep(lightning.Callback):
    def on_train_batch_start(self, *_) -> None:
        raise Stopped


def start(path: Path, module: CodecModule, make_data, make_trainer) -> None:
    """Starts a run from a file, and stops it at once."""
    trainer = make_trainer(5, callbacks=[WarmStartFromFile(str(path)), StopBeforeTheFirstStep()])
    with pytest.raises(Stopped):
        trainer.fit(module, make_data(5))


def test_start_from_a_checkpoint(trained, make_module, make_data, make_trainer, regularized) -> None:
    neighbour, path = trained
    module = make_module(**regularized(0.02))
    start(path, module, make_data, make_trainer)
    average = neighbour.ema.module.state_dict()
    assert states_equal(average, module.model.state_dict())
    assert states_equal(average, module.ema.module.state_dict())
    assert not states_equal(neighbour.model.state_dict(), module.model.state_dict())
    assert states_equal(neighbour.regularizer.state_dict(), module.regularizer.state_dict())
    plain = make_module(ema_decay=None)
    start(path, plain, make_data, make_trainer)
    assert states_equal(average, plain.model.state_dict())


def test_start_from_a_weights_file(trained, make_module, make_data, make_trainer, tmp_path) -> None:
    neighbour, _ = trained
    path = tmp_path / "weights.safetensors"
    save_file(weights_of(neighbour.model), path)
    module = make_module()
    start(path, module, make_data, make_trainer)
    for name, parameter in neighbour.model.named_parameters():
        assert torch.equal(parameter, module.model.get_parameter(name))


def test_shipped_weights_go_by_their_name_unless_a_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = WarmStartFromFile("glic_s2").path
    assert found is not None and found.is_file() and found.name == "glic_s2.safetensors"
    assert WarmStartFromSmaller("glic_s2").path == found and WarmStartFromFile("glic").path == Path("glic")
    (tmp_path / "glic_s2").write_bytes(b"")
    assert WarmStartFromFile("glic_s2").path == Path("glic_s2")


def test_only_a_new_run_starts_from_a_file(
    trained, make_module, make_data, make_trainer, regularized
) -> None:
    neighbour, path = trained
    resumed = make_module(ema_decay=0.5, **regularized(0.01))
    callbacks = [WarmStartFromFile("/nowhere.ckpt")]
    make_trainer(3, callbacks=callbacks).fit(resumed, make_data(3), ckpt_path=path, weights_only=True)
    assert states_equal(neighbour.state_dict(), resumed.state_dict())


def test_a_file_comes_before_images(trained, make_module, make_data, make_trainer) -> None:
    neighbour, path = trained
    module = make_module()
    images = WarmStartFromImages(lambda model, x: nn.init.constant_(model.g_a.weight, 7), batches=1)
    callbacks = [WarmStartFromFile(str(path)), images, StopBeforeTheFirstStep()]
    with pytest.raises(Stopped):
        make_trainer(5, callbacks=callbacks).fit(module, make_data(5))
    assert states_equal(neighbour.ema.module.state_dict(), module.model.state_dict())
    again = make_module()
    callbacks[0] = WarmStartFromFile(None)
    with pytest.raises(Stopped):
        make_trainer(5, callbacks=callbacks).fit(again, make_data(5))
    assert (again.model.g_a.weight == 7).all()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There are no weights to start from at"),
        (b"nonsense", "is neither a weights file nor a checkpoint"),
        (
            {"state_dict": {"model.g_a.weight": torch.zeros(8, 3, 4, 4)}},
            r"do not fit the model: g_a\.bias is missing",
        ),
        (
            {"state_dict": {"model.g_a.weight": torch.zeros(9, 3, 4, 4)}},
            r"g_a\.weight has the shape \(9, 3, 4, 4\), not",
        ),
    ],
)
def test_files_that_do_not_serve(
    make_module, make_data, make_trainer, tmp_path, content, sentence: str
) -> None:
    path = tmp_path / "wrong.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(TrainingError, match=sentence) as caught:
        start(path, make_module(), make_data, make_trainer)
    assert "\n" not in str(caught.value)
