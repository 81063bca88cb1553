"""The training pictures of all runs, decoded once."""

from __future__ import annotations

from torch.utils.data import Dataset

from benchmarks.regularizer_study.plan import Run, Study
from glic_pyg.data.catalogue import build_catalogue
from glic_pyg.training.batch import Batch
from glic_pyg.training.crop_plan import CropPlanner
from glic_pyg.training.crops import CropBatches
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
        study: how many pictures, and the crops.

    Raises:
        DataError: there is no such data set.
    """

    def __init__(self, source: str, study: Study) -> None:
        found = build_catalogue(source)
        every = max(1, len(found) // study.pictures)
        self.catalogue = found.select(range(0, len(found), every)[: study.pictures])
        self.study = study
        self.store = MemoryStore(self.catalogue)

    def crops(self, run: Run) -> Crops:
        """The run's batches: a function of its seed alone."""
        planner = CropPlanner(self.catalogue, self.study.batch_size, self.study.crop, None, run.draws)
        return Crops(self.store, planner, run.steps)
