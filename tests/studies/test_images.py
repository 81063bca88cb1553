"""Training and test images of a study."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.errors import GlicError
from studies.images import TrainingImages, centre_crop, find_test_sets, load_test_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    for number in range(5):
        Image.new("RGB", (40, 30), (50 * number, 0, 0)).save(tmp_path / "set" / f"{number}.png")
    return tmp_path / "set"


def test_missing_sets_are_found_out(tmp_path: Path) -> None:
    (tmp_path / "ood" / "screen").mkdir(parents=True)
    found, missing = find_test_sets(tmp_path / "kodak", tmp_path / "ood")
    assert found == {"screen": tmp_path / "ood" / "screen"} and missing == [tmp_path / "kodak"]
    with pytest.raises(GlicError, match=r"neither .*kodak nor .*nowhere exists"):
        find_test_sets(tmp_path / "kodak", tmp_path / "nowhere")


def test_a_folder_without_folders_is_a_set(folder: Path) -> None:
    assert find_test_sets(folder / "kodak", folder)[0] == {"set": folder}


def test_test_images_are_centres_spaced_evenly(folder: Path) -> None:
    images = load_test_images({"set": folder}, side=32, limit=2)["set"]
    assert [tuple(x.shape) for x in images] == [(1, 3, 30, 32)] * 2
    assert [round(255 * x[0, 0, 0, 0].item()) for x in images] == [0, 150]


def test_the_centre() -> None:
    pixels = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7)
    assert centre_crop(pixels, 3).tolist() == [[9, 10, 11], [16, 17, 18], [23, 24, 25]]
    assert np.array_equal(centre_crop(pixels, 9), pixels)


def test_crops_are_a_function_of_the_seed(folder: Path) -> None:
    images = TrainingImages(str(folder), count=2, batch_size=2, crop=16)
    assert len(images.catalogue) == 2
    one, other = (images.crops(seed, steps=3) for seed in (1, 1))
    assert len(one) == 3 and all(one[step].x.equal(other[step].x) for step in range(3))
    assert one[0].x.shape == (2, 3, 16, 16) and one[0].x.max() <= 1
