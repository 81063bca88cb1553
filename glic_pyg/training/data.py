"""The LightningDataModule: crops of images to train on, whole images to validate with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from glic_pyg.data.index import Catalogue, IndexCache, build_catalogue, default_cache_folder
from glic_pyg.data.sources import Source
from glic_pyg.errors import DataError
from glic_pyg.training.crops import Batch, CropPlanner
from glic_pyg.training.image_store import DiskStore, ImageStore, MemoryStore
from glic_pyg.training.schedules import Stages

log = logging.getLogger(__name__)


class WholeImages(Dataset[Batch]):
    """Images as they are, one a batch, ``x`` (1, 3, H, W) uint8."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.numbers = np.flatnonzero(~store.broken).tolist()

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Batch:
        number = self.numbers[index]
        return Batch(self.store.image(number)[None], (self.store.catalogue.files[number].name,))


class ImageDataModule(lightning.LightningDataModule):
    """Images from folders, tar shards or lists of files, as batches that are functions of the step.

    One epoch is the whole run, so progress bars show the time left of the run. The batch of a step is the
    same with any number of loader workers, wherever the images are kept, after a resume in the middle of
    the run, and, put together from all of them, with any number of processes.

    Images that cannot be read are named in the log, counted and left out.

    Args:
        root: training images; a :data:`glic_pyg.data.sources.Source`.
        val_root: validation images, the same; ``None`` trains without validation. They are kept in
            memory, and every process goes through all of them: the figure is then the same everywhere and no
            process waits for another.
        steps: length of the run.
        batch_size: crops in a step, over all processes.
        crop: side of the crops, pixels.
        stages: factors on crop and batch size by step; ``None`` for a run without stages.
        seed: the run's seed.
        keep: ``"disk"`` decodes an image whenever a crop of it is wanted; ``"memory"`` decodes all of them
            once and keeps them, 3 bytes a pixel; ``"device"`` keeps them, and cuts crops, on the training
            device.
        small: what happens to images smaller than the crop. ``"skip"`` leaves them out (of those
            stages whose crops are larger), so that every crop shows real pixels only; ``"mirror"`` continues
            them as their mirror image.
        flips: also mirror crops, in all eight ways.
        num_workers: loader processes; with images in memory a batch costs so little that 0 is best.
        val_limit: use only the first so many validation images.
        cache: folder for the indices of large data sets; ``None`` for the user's cache folder.

    Raises:
        DataError: an option is unknown or does not go with another.
    """

    def __init__(
        self,
        root: Source,
        val_root: Source | None,
        steps: int,
        batch_size: int = 8,
        crop: int = 256,
        stages: Stages | None = None,
        seed: int = 0,
        keep: Literal["disk", "memory", "device"] = "memory",
        small: Literal["skip", "mirror"] = "skip",
        flips: bool = True,
        num_workers: int = 0,
        val_limit: int | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("steps", steps, 0),
            ("batch_size", batch_size, 1),
            ("crop", crop, 1),
            ("seed", seed, 0),
            ("num_workers", num_workers, 0),
            ("val_limit", 1 if val_limit is None else val_limit, 1),
        ):
            if value < least:
                raise DataError(f"{name} must be at least {least}, not {value}.")
        if keep not in ("disk", "memory", "device") or small not in ("skip", "mirror"):
            raise DataError(f"keep={keep} must be disk, memory or device, and small={small} skip or mirror.")
        if keep == "device" and num_workers:
            raise DataError("Images kept on the device are cropped there: set num_workers=0.")
        self.root = root
        self.val_root = val_root
        self.steps = steps
        self.batch_size = batch_size
        self.crop = crop
        self.stages = stages
        self.seed = seed
        self.keep = keep
        self.small = small
        self.flips = flips
        self.num_workers = num_workers
        self.val_limit = val_limit
        self.cache = default_cache_folder() if cache is None else Path(cache)
        self.planner: CropPlanner | None = None
        self.train_store: ImageStore | None = None
        self.val_store: MemoryStore | None = None
        self.unreadable: set[str] = set()
        self._learned_from: dict[str, Any] = {}

    def prepare_data(self) -> None:
        """Measure the images in one process a machine; the others find the indices of large sets."""
        for root in (self.root, self.val_root):
            if root is not None:
                self._catalogue(root)

    def setup(self, stage: str) -> None:
        """Find the images, and decode them if they are to stay in memory.

        Raises:
            DataError: a folder is missing or holds nothing that can be used, or memory does not suffice.
        """
        if stage == "fit" and self.train_store is None:
            self._open_training()
        if self.val_root is not None and self.val_store is None:
            catalogue = self._catalogue(self.val_root)
            self.val_store = self._in_memory(catalogue.select(range(len(catalogue))[: self.val_limit]))
            log.info("validation: %s", self.val_store.catalogue.summary(self.val_store.unreadable))

    def _open_training(self) -> None:
        found = self._catalogue(self.root)
        self._learned_from = {"count": len(found), "digest": found.digest()}
        mirror = self.small == "mirror"
        self.planner = CropPlanner(
            found, self.batch_size, self.crop, self.stages, self.seed, self.flips, mirror
        )
        if self.keep == "disk":
            self.train_store = DiskStore(found)
            summary = found.summary()
        else:
            self.train_store = store = self._in_memory(found, self.planner.wanted())
            summary = found.summary(store.unreadable)
        log.info("training: %s", "; ".join([summary, *self.planner.left_out()]))

    def state_dict(self) -> dict[str, Any]:
        """Which training images these are, for the checkpoint."""
        return self._learned_from

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Compare the images with those that a run has learned from until now; they may have moved.

        Raises:
            DataError: they are others.
        """
        before, now = state_dict, self._learned_from
        if before and now and before != now:
            raise DataError(
                f"Data {self.root} is not what this run has learned from: {now['count']:,} images now, "
                f"{before['count']:,} then, or other names or sizes; put those back, or begin a new run from "
                "its weights: start_from=..."
            )

    def _catalogue(self, root: Source) -> Catalogue:
        return build_catalogue(root, IndexCache(self.cache, str(root)))

    def _in_memory(self, catalogue: Catalogue, wanted: NDArray[np.bool_] | None = None) -> MemoryStore:
        if self.keep != "device" or self.trainer is None:
            return MemoryStore(catalogue, "cpu", wanted)
        return MemoryStore(catalogue, self.trainer.strategy.root_device, wanted)

    def train_dataloader(self) -> StepLoader:
        """Batches of the steps still to be done, ``x`` (B, 3, crop, crop) uint8.

        Raises:
            DataError: the trainer wants more steps, or the batch cannot be divided among its processes.
        """
        assert self.train_store is not None and self.planner is not None and self.trainer is not None
        trainer = self.trainer
        if not 0 <= trainer.max_steps <= self.steps:  # an exhausted sampler would loop for ever
            raise DataError(
                f"The trainer wants {trainer.max_steps} steps but the data {self.steps}; set steps=..."
            )
        batches = CropBatches(self.train_store, self.planner, trainer.global_rank, trainer.world_size)
        return StepLoader(
            batches,
            batch_size=None,
            sampler=StepSampler(self.steps, lambda: trainer.global_step),
            num_workers=self.num_workers,
            pin_memory=trainer.strategy.root_device.type == "cuda" and self.keep != "device",
        )

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Whole images, one at a time, ``x`` (1, 3, H, W) uint8."""
        return [] if self.val_store is None else DataLoader(WholeImages(self.val_store), batch_size=None)

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Name images that turned out to be unreadable, each once; loader processes cannot log."""
        for line in batch.unreadable:
            if line not in self.unreadable:
                self.unreadable.add(line)
                log.warning("image skipped (%d so far): %s", len(self.unreadable), line)
        return batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """8-bit to [0, 1], float32, on the device."""
        return batch._replace(x=batch.x.float() / 255)

    def teardown(self, stage: str) -> None:
        """One line about the images that were skipped on the way."""
        if stage == "fit" and self.unreadable:
            log.warning("training: %d images could not be decoded and were replaced", len(self.unreadable))


class CropBatches(Dataset[Batch]):
    """Item s is this process's part of the batch of step s, the same whoever asks for it and whenever.

    Args:
        store: makes the crops.
        planner: knows which crops.
        rank: this process; it gets crops rank, rank + world_size, ... of each batch.
        world_size: number of processes.

    Raises:
        DataError: the batch of some stage cannot be divided among the processes.
    """

    def __init__(self, store: ImageStore, planner: CropPlanner, rank: int = 0, world_size: int = 1) -> None:
        self.store = store
        self.planner = planner
        self.rank = rank
        self.world_size = world_size
        for batch in {planner.crop_and_batch(stage)[1] for stage in planner.stages.stages}:
            if batch % world_size:
                raise DataError(
                    f"A batch of {batch} cannot be divided among {world_size} processes; change it."
                )

    def __getitem__(self, step: int) -> Batch:
        """Batch of a step, ``x`` (B, 3, side, side) uint8."""
        return self.store.crops(self.planner(step).part(self.rank, self.world_size))


class StepSampler(Sampler[int]):
    """Yields the numbers of the steps that are still to be done.

    Its length is that of the whole run, because Lightning goes on counting batches where a resumed run
    left off.

    Args:
        steps: length of the run.
        done: tells, when the iteration starts, how many steps are done.
    """

    def __init__(self, steps: int, done: Callable[[], int]) -> None:
        self.steps = steps
        self.done = done

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.done(), self.steps))

    def __len__(self) -> int:
        return self.steps


class StepLoader(DataLoader[Batch]):
    """A loader whose place in the run is the trainer's step, and needs no other state."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing; its presence tells Lightning that training may resume in mid-epoch."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""
