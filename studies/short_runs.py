"""Training images of a study: decoded once for all its runs."""

from __future__ import annotations

from torch.utils.data import Dataset

from glic_pyg.data.index import build_catalogue
from glic_pyg.training.crops import Batch, CropPlanner
from glic_pyg.training.data import CropBatches
from glic_pyg.training.image_store import MemoryStore

__all__ = ["Crops", "TrainingPictures"]


class Crops(Dataset[Batch]):
    """Batches of a run by step, (B, 3, side, side) in [0, 1]."""

    def __init__(self, store: MemoryStore, planner: CropPlanner, steps: int) -> None:
        self.batches = CropBatches(store, planner)
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        batch = self.batches[step]
        return batch._replace(x=batch.x.float() / 255)


class TrainingPictures:
    """A part of a data set, decoded once for all runs.

    Args:
        source: folder, shards or list, see :mod:`glic_pyg.data.sources`.
        pictures: how many are used, evenly taken from it.
        batch_size, crop: of all runs.

    Raises:
        DataError: there is no such data set.
    """

    def __init__(self, source: str, pictures: int, batch_size: int, crop: int) -> None:
        found = build_catalogue(source)
        every = max(1, len(found) // pictures)
        self.catalogue = found.select(range(0, len(found), every)[:pictures])
        self.batch_size, self.crop = batch_size, crop
        self.store = MemoryStore(self.catalogue)

    def crops(self, seed: int, steps: int) -> Crops:
        """The batches of a run: a function of its seed alone."""
        planner = CropPlanner(self.catalogue, self.batch_size, self.crop, None, seed)
        return Crops(self.store, planner, steps)
