"""The data module: the same batches with any workers, any storage, any processes, and after a resume."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import lightning
import pytest
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch.utils.data import default_collate, default_convert

from glic_pyg.errors import DataError
from glic_pyg.training.crops import Batch
from glic_pyg.training.data import ImageDataModule
from glic_pyg.training.schedules import Stages

STEPS = 6


@pytest.fixture
def batches(make_data: Callable[..., ImageDataModule]) -> Callable[..., Iterator[Batch]]:
    """Training batches of a data module, as one of several processes sees them after a number of steps."""

    def make(step: int = 0, rank: int = 0, world_size: int = 1, **options: object) -> Iterator[Batch]:
        data = make_data(STEPS, **options)
        strategy = SimpleNamespace(root_device=torch.device("cpu"))
        data.trainer = SimpleNamespace(  # type: ignore[assignment]
            max_steps=STEPS, global_step=step, global_rank=rank, world_size=world_size, strategy=strategy
        )
        data.setup("fit")
        return iter(data.train_dataloader())

    return make


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.x, other.x) and list(one.names) == list(other.names)


@pytest.mark.parametrize(
    "options",
    [
        {"keep": "disk"},
        {"keep": "disk", "num_workers": 1},
        {"keep": "disk", "num_workers": 3},
        {"keep": "device"},
        {"num_workers": 2},
    ],
    ids=str,
)
def test_storage_and_workers_change_nothing(batches: Callable, options: dict) -> None:
    plain = list(batches())
    assert len(plain) == STEPS
    assert all(map(same, plain, batches(**options)))


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_goes_on_with_the_next_batch(batches: Callable, workers: int) -> None:
    whole, rest = list(batches()), list(batches(4, keep="disk", num_workers=workers))
    assert len(rest) == 2
    assert all(map(same, whole[4:], rest))


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_together_see_the_batch_of_one(batches: Callable, world_size: int) -> None:
    options = {"batch_size": 4, "stages": Stages(STEPS, [1, 1], crops=[1, 0.5], batches=[1, 2])}
    parts = zip(*(batches(0, rank, world_size, **options) for rank in range(world_size)), strict=True)
    for whole, part in zip(batches(**options), parts, strict=True):
        for place in range(len(whole.x)):
            rank, row = place % world_size, place // world_size
            assert torch.equal(whole.x[place], part[rank].x[row])
            assert whole.names[place] == part[rank].names[row]


def test_stages_change_the_batches_at_their_step(batches: Callable) -> None:
    stages = Stages(STEPS, lengths=[4, 2], crops=[1, 0.5], batches=[1, 3])
    shapes = [tuple(batch.x.shape) for batch in batches(stages=stages)]
    assert shapes == 4 * [(2, 3, 32, 32)] + 2 * [(6, 3, 16, 16)]
    assert all(map(same, list(batches(stages=stages))[3:], batches(3, stages=stages, num_workers=1)))


def test_a_seed_changes_the_batches(batches: Callable) -> None:
    assert not any(map(same, batches(), batches(seed=8)))


def test_names_survive_collation_pinning_and_transfer() -> None:
    batch = Batch(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), ("a.png", "b.png"))
    for moved in (default_convert(batch), move_data_to_device(batch, torch.device("cpu"))):
        assert isinstance(moved, Batch) and tuple(moved.names) == batch.names
    assert isinstance(default_collate([batch, batch]), Batch)


class Seen(lightning.Callback):
    """Keeps the batches as the module gets them."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def on_train_batch_start(self, trainer, module, batch: Batch, batch_idx: int) -> None:
        self.batches.append(batch)


def test_training_gets_floats_and_names(make_module, make_data, make_trainer) -> None:
    seen = Seen()
    make_trainer(2, callbacks=[seen]).fit(make_module(), make_data(2))
    assert [len(batch.names) for batch in seen.batches] == [2, 2]
    assert all(Path(name).is_file() for batch in seen.batches for name in batch.names)
    assert seen.batches[0].x.dtype == torch.float32 and 0.5 < seen.batches[0].x.max() <= 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_sees_the_rest(
    make_module, make_data, make_trainer, tmp_path: Path, workers: int
) -> None:
    stages = Stages(STEPS, lengths=[4, 2], crops=[0.5, 1], batches=[2, 1])
    options = {"stages": stages, "keep": "disk", "num_workers": workers}
    whole, first, rest = Seen(), Seen(), Seen()
    make_trainer(STEPS, callbacks=[whole]).fit(make_module(), make_data(STEPS, stages=stages))
    stopped = make_trainer(3, callbacks=[first])
    stopped.fit(make_module(), make_data(STEPS, **options))
    stopped.save_checkpoint(tmp_path / "stopped.ckpt")
    make_trainer(STEPS, callbacks=[rest]).fit(
        make_module(),
        make_data(STEPS, **options),
        ckpt_path=str(tmp_path / "stopped.ckpt"),
        weights_only=True,
    )
    assert [len(first.batches), len(rest.batches)] == [3, 3]
    assert all(map(same, whole.batches, first.batches + rest.batches))


def test_unreadable_images_are_named_once(
    make_module, make_trainer, image_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(image_folder, tmp_path / "damaged")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:-300])
    (folder / "2.png").write_bytes(b"nothing")
    data = ImageDataModule(str(folder), str(folder), 6, 3, 32, keep="disk", num_workers=2)
    with caplog.at_level(logging.INFO, "glic_pyg"):
        make_trainer(6, val_check_interval=3).fit(make_module(), data)
    text = caplog.text
    assert "training: 4 images, 1 unreadable and left out: " in text and "2.png: not an image" in text
    assert "validation: 3 images, 2 unreadable and left out: " in text
    assert text.count("image skipped (1 so far)") == 1 and "(2 so far)" not in text
    assert "training: 1 images could not be decoded and were replaced" in text


def test_validation_shows_each_whole_image_once(make_data) -> None:
    data = make_data(1, validate=True, val_limit=3)
    data.setup("validate")
    got = list(data.val_dataloader())
    assert [Path(batch.names[0]).name for batch in got] == ["0.png", "1.png", "2.png"]
    assert [tuple(batch.x.shape) for batch in got] == [(1, 3, 40, 48), (1, 3, 33, 64), (1, 3, 70, 33)]
    assert data.train_store is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"keep": "tape"}, "keep=tape must be disk, memory or device"),
        ({"small": "grow"}, "small=grow"),
        ({"keep": "device", "num_workers": 2}, "set num_workers=0"),
        ({"crop": 64}, "None of the 5 images is 64 pixels"),
        ({"world_size": 3}, "A batch of 2 cannot be divided among 3 processes"),
        ({"stages": Stages(6, [1, 1], batches=[1, 0.5]), "world_size": 2}, "A batch of 1 cannot be divided"),
    ],
)
def test_settings_that_cannot_be(batches: Callable, options: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        batches(**options)


def test_more_steps_than_the_data_has_are_refused(make_module, make_data, make_trainer) -> None:
    with pytest.raises(DataError, match="wants 3 steps but the data 2"):
        make_trainer(3).fit(make_module(), make_data(2))
