import errno
import io
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from glic_pyg.errors import TrainingError
from glic_pyg.files import write_file
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.models.loading import load_model
from glic_pyg.models.weights import save_weights, weights_hash
from glic_pyg.training.callbacks.export import ExportWeights
from glic_pyg.training.validation import measure_image
from tests.training.conftest import states_equal
from tests.training.tiny_codec import TinyCodec


def test_average_is_exported_with_its_card(make_module, make_data, make_trainer, tmp_path: Path) -> None:
    written = []

    def save(path: Path, model: torch.nn.Module, card: dict) -> None:
        torch.save(model.state_dict(), path)
        written.append(card)

    module, target = make_module(ema_decay=0.9), tmp_path / "out" / "tiny.pt"
    trainer = make_trainer(
        4, val_check_interval=2, callbacks=[ExportWeights(str(target), save, {"lmbda": 0.01})]
    )
    trainer.fit(module, make_data(4, validate=True))
    assert [card["step"] for card in written] == [2, 4, 4]
    assert written[-1]["lmbda"] == 0.01
    assert written[-1]["val/psnr"] > 0
    exported = torch.load(target, weights_only=True)
    assert states_equal(exported, module.ema.module.state_dict())
    assert not states_equal(exported, module.model.state_dict())
    assert [path.name for path in target.parent.iterdir()] == ["tiny.pt"]


def test_a_checkpoint_holds_the_weights_that_are_exported(
    make_module, make_data, make_trainer, tmp_path: Path
) -> None:
    """As weights, a checkpoint is its average, by the names that training writes today."""
    path = tmp_path / "last.ckpt"
    module = make_module(model=Hyperprior(8, 12), lr=1e-2, ema_decay=0.9)
    trainer = make_trainer(3)
    trainer.fit(module, make_data(3, crop=64, small="mirror"))
    trainer.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    settings = {"_target_": "glic_pyg.models.compressai.Hyperprior", **module.model.config}
    torch.save({**checkpoint, "hyper_parameters": {"model": settings}}, path)
    assert weights_hash(load_model(path)) == weights_hash(module.ema.module)
    assert weights_hash(module.ema.module) != weights_hash(module.model)


@pytest.fixture
def cards() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def export(cards, tmp_path: Path) -> ExportWeights:
    """Writes the state dict, and adds the card to a list."""

    def save(path: Path, model: torch.nn.Module, card: dict[str, Any]) -> None:
        content = io.BytesIO()
        torch.save(model.state_dict(), content)
        write_file(path, content.getvalue())
        cards.append(card)

    return ExportWeights(str(tmp_path / "tiny.pt"), save, {"lmbda": 0.01})


@pytest.mark.parametrize(("interval", "steps"), [(3, [3, 5, 5]), (2000, [5, 5]), (5, [5, 5])])
def test_the_figures_are_of_the_last_weights(
    make_module, make_data, make_trainer, export, cards, interval: int, steps: list[int]
) -> None:
    """Whatever the interval, and equal to a measurement of what is in the file."""
    module, data = make_module(ema_decay=0.9), make_data(5, validate=True)
    make_trainer(5, val_check_interval=interval, callbacks=[export]).fit(module, data)
    assert [card["step"] for card in cards] == steps
    codec = TinyCodec().eval()
    codec.load_state_dict(torch.load(export.path, weights_only=True))
    figures = [measure_image(codec, batch.x.float() / 255, module.loss)[0] for batch in data.val_dataloader()]
    for name in ("bpp", "psnr", "loss"):
        mean = sum(each[name].item() for each in figures) / len(figures)
        assert cards[-1][f"val/{name}"] == pytest.approx(mean, rel=1e-5)


def test_without_validation_there_are_no_figures(make_module, make_data, make_trainer, export, cards) -> None:
    make_trainer(3, callbacks=[export]).fit(make_module(), make_data(3))
    assert cards == [{"lmbda": 0.01, "step": 3}]


def test_training_outlives_a_full_disk(
    make_module, make_data, make_trainer, export, cards, caplog, full_disk
) -> None:
    full_disk(export.path)
    with caplog.at_level(logging.ERROR):
        make_trainer(4, val_check_interval=2, callbacks=[export]).fit(
            make_module(), make_data(4, validate=True)
        )
    [line] = [record.getMessage() for record in caplog.records]
    assert line.endswith("tiny.pt (No space left on device). Training goes on, and exporting is tried again.")
    assert [card["step"] for card in cards] == [4, 4]


def test_a_disk_that_is_full_at_the_end_is_an_error(
    make_module, make_data, make_trainer, export, full_disk
) -> None:
    export.on_train_end, end = lambda *a: (full_disk(export.path), end(*a)), export.on_train_end
    with pytest.raises(
        TrainingError, match=r"could not be exported to .*tiny\.pt \(No space left on device\)\."
    ):
        make_trainer(3, callbacks=[export]).fit(make_module(), make_data(3))


def test_real_weights_name_a_full_disk_as_the_system_does(tmp_path: Path, full_disk) -> None:
    """And not by a type of safetensors' own."""
    full_disk(tmp_path / "tiny.safetensors")
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_weights(tmp_path / "tiny.safetensors", Hyperprior(8, 8), {})
    assert caught.value.errno == errno.ENOSPC and not list(tmp_path.iterdir())
