"""Finding, decoding and cropping pictures."""

import io
import logging
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glic_pyg.training.crops import CropBatches, StepSampler
from glic_pyg.training.data import StepLoader
from glic_pyg.training.image_files import DataError, find_images
from glic_pyg.training.image_store import FileStore, MemoryStore


@pytest.fixture
def shard_folder(picture_folder: Path, tmp_path: Path) -> Path:
    """The pictures once more, in two shards, beside a text and a broken picture."""
    for number in range(2):
        with tarfile.open(tmp_path / f"part-{number}.tar", "w") as tar:
            for path in sorted(picture_folder.glob("*.png"))[number::2]:
                tar.add(path, path.name)
            for name, content in {"note.txt": b"no picture", "broken.jpg": b"\xff\xd8nonsense"}.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return tmp_path


def test_shards_and_folders_hold_the_same_pictures(picture_folder: Path, shard_folder: Path, caplog) -> None:
    plain = MemoryStore(find_images(picture_folder))
    with caplog.at_level(logging.WARNING):
        shards = MemoryStore(find_images(shard_folder))
    assert len(shards) == len(plain) == 5
    assert {image.tobytes() for image in shards.images} == {image.tobytes() for image in plain.images}
    assert len(shards.skipped) == 2
    assert all("broken.jpg" in reason for reason in shards.skipped)
    assert "picture skipped (2 of 7)" in caplog.text


def test_too_small_pictures_are_named(picture_folder: Path) -> None:
    store = MemoryStore(find_images(picture_folder), min_side=40)
    assert len(store) == 3
    assert any("64x33 pixels, too small for crops of 40" in reason for reason in store.skipped)


def test_file_store_takes_the_next_picture(shard_folder: Path) -> None:
    files = find_images(shard_folder)
    store = FileStore(files)
    broken = next(place for place, file in enumerate(files) if file.name.endswith("broken.jpg"))
    assert np.array_equal(store[broken], store[broken + 1])
    assert list(store.skipped) == [broken]


@pytest.mark.parametrize("fault", ["missing", "empty", "tiny", "tar"])
def test_unusable_data_is_one_sentence(tmp_path: Path, picture_folder: Path, fault: str) -> None:
    (tmp_path / "bad.tar").write_bytes(b"x" * 2000)
    (tmp_path / "empty").mkdir()
    folder = {
        "missing": tmp_path / "none",
        "empty": tmp_path / "empty",
        "tiny": picture_folder,
        "tar": tmp_path,
    }[fault]
    with pytest.raises(DataError) as caught:
        MemoryStore(find_images(folder), min_side=500)
    assert "\n" not in str(caught.value)
    assert {
        "missing": "does not exist",
        "empty": "no pictures",
        "tiny": "too small",
        "tar": "not a readable",
    }[fault] in str(caught.value)


@pytest.fixture
def store(picture_folder: Path) -> MemoryStore:
    return MemoryStore(find_images(picture_folder))


def test_a_batch_depends_on_seed_and_step_alone(store: MemoryStore) -> None:
    first, second = CropBatches(store, 4, 32, seed=1), CropBatches(store, 4, 32, seed=1)
    late = second[9]
    assert torch.equal(first[3], second[3])
    assert torch.equal(first[9], late)
    assert not torch.equal(first[3], first[4])
    assert not torch.equal(first[3], CropBatches(store, 4, 32, seed=2)[3])
    assert first[3].shape == (4, 3, 32, 32)
    assert first[3].dtype == torch.uint8


def test_ranks_share_out_the_same_batch(store: MemoryStore) -> None:
    whole = CropBatches(store, 4, 32)[5]
    parts = [CropBatches(store, 4, 32, rank=rank, world_size=2)[5] for rank in range(2)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])
    with pytest.raises(ValueError, match="multiple of 3"):
        CropBatches(store, 4, 32, world_size=3)


def test_each_pass_shows_every_picture_once() -> None:
    flat = MemoryStore.__new__(MemoryStore)
    flat.images = [np.full((8, 8, 3), value, np.uint8) for value in range(10)]
    batches = CropBatches(flat, 5, 8)
    for turn in range(3):
        shown = torch.cat([batches[2 * turn], batches[2 * turn + 1]])[:, 0, 0, 0]
        assert sorted(shown.tolist()) == list(range(10))


def test_all_eight_orientations_and_places_occur() -> None:
    one = MemoryStore.__new__(MemoryStore)
    one.images = [np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, 2)]
    seen = {tuple(CropBatches(one, 1, 2)[step][0, 0].flatten().tolist()) for step in range(200)}
    assert len(seen) == 8
    one.images = [np.arange(36, dtype=np.uint8).reshape(6, 6, 1).repeat(3, 2)]
    corners = {int(CropBatches(one, 1, 1)[step][0, 0, 0, 0]) for step in range(1000)}
    assert corners == set(range(36))


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_goes_on_where_the_run_is(store: MemoryStore, workers: int) -> None:
    batches = CropBatches(store, 2, 16)
    loader = StepLoader(batches, batch_size=None, sampler=StepSampler(6, lambda: 4), num_workers=workers)
    assert len(loader) == 6
    got = list(loader)
    assert len(got) == 2
    assert all(torch.equal(batch, batches[step]) for batch, step in zip(got, (4, 5), strict=True))


def test_more_steps_than_the_data_has_are_refused(make_module, make_data, make_trainer) -> None:
    with pytest.raises(DataError, match="wants 3 steps but the data 2"):
        make_trainer(3).fit(make_module(), make_data(2))


def test_transparent_and_grey_pictures_become_rgb(tmp_path: Path) -> None:
    Image.new("LA", (20, 20), (128, 10)).save(tmp_path / "grey.png")
    assert MemoryStore(find_images(tmp_path))[0].shape == (20, 20, 3)
