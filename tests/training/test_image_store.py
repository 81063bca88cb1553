"""Every kind of store makes the same crops of the same plan."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glic_pyg import memory
from glic_pyg.data.index import Catalogue, build_catalogue
from glic_pyg.errors import DataError, NotEnoughMemory
from glic_pyg.training.crops import CropPlanner
from glic_pyg.training.image_store import DiskStore, MemoryStore
from glic_pyg.training.schedules import Stages

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, NO_GPU])]


@pytest.fixture
def catalogue(image_folder: Path) -> Catalogue:
    return build_catalogue(image_folder)


@pytest.fixture
def damaged(image_folder: Path, tmp_path: Path) -> Catalogue:
    """The images, two of them cut short, which shows only when they are decoded."""
    folder = shutil.copytree(image_folder, tmp_path / "damaged")
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:-300])
    return build_catalogue(folder)


def test_crops_are_cut_where_the_plan_says(catalogue: Catalogue) -> None:
    plan = CropPlanner(catalogue, 40, 16)(3)
    batch = DiskStore(catalogue).crops(plan)
    for number, crop in enumerate(batch.x.numpy()):
        file = catalogue.files[plan.usable[plan.places[number]]]
        assert batch.names[number] == file.name
        image = file.decode()
        free = np.array(image.shape[:2]) - 16 + 1
        top, left = np.floor(plan.corners[number] * free).astype(int)
        expected = image[top : top + 16, left : left + 16]
        rows, columns, diagonal = plan.flips[number]
        expected = expected[:: -1 if rows else 1, :: -1 if columns else 1]
        expected = expected.swapaxes(0, 1) if diagonal else expected
        assert np.array_equal(crop.transpose(1, 2, 0), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_disk_and_memory_make_the_same_crops(catalogue: Catalogue, device: str) -> None:
    stages = Stages(6, lengths=[1, 1], crops=[1, 1.25], batches=[1, 0.5])
    for mirror in (False, True):
        planner = CropPlanner(catalogue, 6, 40, stages, mirror_small=mirror)
        disk, memory = DiskStore(catalogue), MemoryStore(catalogue, device, planner.wanted())
        for step in range(6):
            one, other = disk.crops(planner(step)), memory.crops(planner(step))
            assert torch.equal(one.x, other.x.cpu()) and one.names == other.names
            assert one.x.dtype == torch.uint8 and one.x.is_contiguous()
            assert one.x.shape == ((6, 3, 40, 40) if step < 3 else (3, 3, 50, 50))


def test_broken_images_are_replaced_alike(damaged: Catalogue) -> None:
    planner = CropPlanner(damaged, 4, 32)
    memory = MemoryStore(damaged)
    assert ["1.png" in memory.unreadable[0], "2.png" in memory.unreadable[1]] == [True, True]
    late, early = DiskStore(damaged), DiskStore(damaged)
    reported = [line for step in range(6) for line in early.crops(planner(step)).unreadable]
    assert sorted(reported) == sorted(memory.unreadable)
    for step in (5, 2):  # another history of finding out which are broken
        batches = [store.crops(planner(step)) for store in (memory, late, early)]
        assert all(torch.equal(batch.x, batches[0].x) for batch in batches)
        assert all(batch.names == batches[0].names for batch in batches)
        assert not any(name.endswith(("1.png", "2.png")) for name in batches[0].names)


def test_whole_images_come_back(catalogue: Catalogue) -> None:
    store = MemoryStore(catalogue)
    for number, file in enumerate(catalogue.files):
        assert np.array_equal(store.image(number).permute(1, 2, 0), file.decode())


def test_what_is_not_wanted_is_not_decoded(catalogue: Catalogue) -> None:
    wanted = np.array([True, False, False, True, False])
    store = MemoryStore(catalogue, wanted=wanted)
    assert len(store.pixels) == catalogue.sizes[wanted].prod(axis=1).sum()
    assert not store.unreadable


def test_a_image_exchanged_on_the_way_is_unreadable(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    catalogue = build_catalogue(tmp_path)
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"No image can be decoded; the first: .*a\.png: changed since"):
        MemoryStore(catalogue)
    with pytest.raises(DataError, match="can be decoded"):
        DiskStore(catalogue).crops(CropPlanner(catalogue, 1, 8)(0))


def test_images_larger_than_memory_are_refused(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:      7 kB\n")
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    with pytest.raises(NotEnoughMemory, match="decode them on demand with data=disk"):
        MemoryStore(catalogue)
