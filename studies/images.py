"""Images of a study: crops to train on, decoded once for all its runs, and test sets to measure on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from glic_pyg.data.index import build_catalogue
from glic_pyg.errors import GlicError
from glic_pyg.training.crops import Batch, CropPlanner
from glic_pyg.training.data import CropBatches
from glic_pyg.training.image_store import MemoryStore
from glic_pyg.types import Pixels

__all__ = ["Crops", "TestImages", "TrainingImages", "centre_crop", "find_test_sets", "load_test_images"]

TestImages = Mapping[str, Sequence[Tensor]]
"""Test sets by name; each image (1, 3, H, W) in [0, 1]."""


class TrainingImages:
    """Some images of a data set, decoded once for all runs.

    Args:
        source: folder, shards or list, see :mod:`glic_pyg.data.sources`.
        count: how many images are used, evenly spaced in the data set.
        batch_size, crop: of all runs.

    Raises:
        DataError: there is no such data set.
    """

    def __init__(self, source: str, count: int, batch_size: int, crop: int) -> None:
        found = build_catalogue(source)
        every = max(1, len(found) // count)
        self.catalogue = found.select(range(0, len(found), every)[:count])
        self.batch_size, self.crop = batch_size, crop
        self.store = MemoryStore(self.catalogue)

    def crops(self, seed: int, steps: int) -> Crops:
        """The batches of a run by step, (B, 3, crop, crop) in [0, 1]: a function of the seed alone."""
        planner = CropPlanner(self.catalogue, self.batch_size, self.crop, None, seed)
        return Crops(CropBatches(self.store, planner), steps)


class Crops(Dataset[Batch]):
    """Batches by step, see :meth:`TrainingImages.crops`."""

    def __init__(self, batches: CropBatches, steps: int) -> None:
        self.batches, self.steps = batches, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        batch = self.batches[step]
        return batch._replace(x=batch.x.float() / 255)


def find_test_sets(kodak: Path, ood: Path) -> tuple[dict[str, Path], list[Path]]:
    """Folders of test images by the name of the set, and the folders that do not exist.

    Args:
        kodak: the set ``"kodak"``.
        ood: each folder in it is a set; without folders it is one itself.

    Raises:
        GlicError: neither exists.
    """
    inside = sorted(path for path in ood.iterdir() if path.is_dir()) if ood.is_dir() else []
    wanted = {"kodak": kodak, **{path.name: path for path in inside or [ood]}}
    found = {name: path for name, path in wanted.items() if path.is_dir()}
    if not found:
        raise GlicError(f"There is nothing to measure on: neither {kodak} nor {ood} exists.")
    return found, [path for path in wanted.values() if not path.is_dir()]


def load_test_images(folders: Mapping[str, Path], side: int, limit: int) -> TestImages:
    """The :func:`centre_crop` of every test image.

    Args:
        folders: by the name of the set.
        side: of the crop.
        limit: most images of a set, evenly spaced in it.

    Raises:
        DataError: a folder holds no image.
    """
    found = {}
    for name, folder in folders.items():
        files = build_catalogue(folder).files
        chosen = files[:: -(-len(files) // limit)]
        crops = [torch.tensor(centre_crop(file.decode(), side)) for file in chosen]
        found[name] = [crop.permute(2, 0, 1)[None].float() / 255 for crop in crops]
    return found


def centre_crop(pixels: Pixels, side: int) -> Pixels:
    """The centre of an image, (H, W, ...), at most ``side`` pixels high and wide."""
    top, left = (max(0, (size - side) // 2) for size in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])
