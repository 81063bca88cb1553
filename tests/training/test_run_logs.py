"""Speed, memory and images among the logs."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from glic_pyg.training.callbacks.images import ValidationImages, log_image
from glic_pyg.training.callbacks.progress import RunSpeed


def grey(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """In place of a map of degrees."""
    assert x.shape[-1] % model.multiple == 0
    return {"degrees/0": torch.full((3, 4, 4), 0.5)}


@pytest.fixture
def events(make_module, make_data, make_trainer, regularized, tmp_path: Path) -> EventAccumulator:
    """What TensorBoard has of a short run."""
    loggers: list[Logger] = [TensorBoardLogger(tmp_path, "tb"), CSVLogger(tmp_path, "csv")]
    callbacks = [RunSpeed(), ValidationImages(count=2, maps=grey)]
    trainer = make_trainer(4, val_check_interval=2, logger=loggers, callbacks=callbacks, log_every_n_steps=2)
    trainer.fit(make_module(**regularized(0.01)), make_data(4, validate=True))
    file = next((tmp_path / "tb").rglob("events*"))
    read = EventAccumulator(str(file), size_guidance={"images": 0})
    read.Reload()
    read.csv = next((tmp_path / "csv").rglob("metrics.csv")).read_text()
    return read


def test_tensorboard_and_csv_have_everything(events: EventAccumulator) -> None:
    scalars = set(events.Tags()["scalars"])
    wanted = {"train/bpp", "train/psnr", "train/H_theta", "train/r", "grad_norm/theta", "grad_norm/quantiles"}
    wanted |= {"val/bpp", "val/psnr", "val/H_theta", "speed/images_per_s", "memory/peak_gib", "lr/codec"}
    assert wanted <= scalars
    assert wanted <= set(events.csv.splitlines()[0].split(","))
    assert [event.step for event in events.Scalars("train/bpp")] == [1, 3]  # Lightning counts from 0
    assert [event.step for event in events.Scalars("val/bpp")] == [1, 3]
    assert events.Scalars("speed/images_per_s")[0].value > 0
    assert 0.05 < events.Scalars("memory/peak_gib")[-1].value < 100


def test_images_are_logged_and_originals_once(events: EventAccumulator) -> None:
    tags = events.Tags()["images"]
    kinds = {"original", "reconstruction", "degrees/0"}
    assert {tag.split("/", 1)[1] for tag in tags} == kinds
    assert len(tags) == 2 * len(kinds)
    for tag in tags:
        assert [image.step for image in events.Images(tag)] == ([2] if tag.endswith("original") else [2, 4])


def test_speed_leaves_validation_out(make_trainer) -> None:
    speed, logged = RunSpeed(), {}
    trainer = SimpleNamespace(world_size=2, global_step=5, log_every_n_steps=5)
    module = SimpleNamespace(log_dict=logged.update, device=torch.device("cpu"))
    speed.on_train_start(trainer, module)
    begin = time.perf_counter()
    speed.on_validation_start(trainer, module)
    time.sleep(0.3)
    speed.on_validation_end(trainer, module)
    time.sleep(0.05)
    speed.on_train_batch_end(trainer, module, None, torch.zeros(3, 3, 8, 8))
    whole = time.perf_counter() - begin
    assert 6 / (whole - 0.3) * 0.9 < logged["speed/images_per_s"] < 6 / 0.05


class Recorder:
    """Takes any call and remembers it."""

    def __init__(self, *methods: str) -> None:
        self.calls: list[tuple] = []
        for method in methods:
            setattr(self, method, lambda *args, **kwargs: self.calls.append((args, kwargs)))


def test_every_kind_of_logger() -> None:
    image = torch.rand(3, 5, 7)
    tensorboard = SimpleNamespace(experiment=Recorder("add_image"))
    assert log_image(tensorboard, "a/b", image, 3)
    (tag, pixels, step), options = tensorboard.experiment.calls[0]
    assert (tag, step, options) == ("a/b", 3, {"dataformats": "HWC"})
    assert pixels.shape == (5, 7, 3) and pixels.dtype == "uint8"
    wandb = Recorder("log_image")
    wandb.experiment = None
    assert log_image(wandb, "a/b", image, 3)
    (tag, [pixels], step), _ = wandb.calls[0]
    assert (tag, step, pixels.shape) == ("a/b", 3, (5, 7, 3))
    mlflow = SimpleNamespace(experiment=Recorder("log_image"), run_id="r")
    assert log_image(mlflow, "a/b", image, 3)
    (run, pixels), options = mlflow.experiment.calls[0]
    assert (run, pixels.shape, options) == ("r", (5, 7, 3), {"key": "a/b", "step": 3})
    assert not log_image(SimpleNamespace(experiment=object()), "a/b", image, 3)


def test_a_run_without_loggers_or_names(make_module, make_trainer) -> None:
    callback = ValidationImages(count=1)
    trainer = SimpleNamespace(is_global_zero=True, sanity_checking=False, loggers=[], global_step=0)
    batch = SimpleNamespace(x=torch.rand(1, 3, 8, 8), names=())
    callback.on_validation_batch_end(trainer, make_module(), {"x_hat": batch.x}, batch, 0)
    assert isinstance(callback, lightning.Callback)


def test_maps_wait_for_their_steps(make_module, make_trainer) -> None:
    seen: list[int] = []
    trainer = SimpleNamespace(is_global_zero=True, sanity_checking=False, loggers=[], global_step=0)
    module, batch = make_module(), SimpleNamespace(x=torch.rand(1, 3, 8, 8), names=())

    def maps(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(trainer.global_step)
        return {}

    callback = ValidationImages(count=2, maps=maps, maps_every_n_steps=5)
    for trainer.global_step in (2, 4, 7, 11, 12):
        for number in range(3):
            callback.on_validation_batch_end(trainer, module, {"x_hat": batch.x}, batch, number)
    assert seen == [2, 2, 7, 7, 12, 12]
