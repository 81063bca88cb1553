"""The LightningDataModule: crops of pictures to train on, whole pictures to validate with."""

import logging
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glic_pyg.training.crops import CropBatches, StepSampler
from glic_pyg.training.image_files import DataError, find_images
from glic_pyg.training.image_store import FileStore, ImageStore, MemoryStore

log = logging.getLogger(__name__)


class WholeImages(Dataset[Tensor]):
    """Pictures as they are, each (1, 3, H, W) uint8."""

    def __init__(self, store: ImageStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Tensor:
        return torch.tensor(self.store[index]).permute(2, 0, 1).contiguous()[None]


class StepLoader(DataLoader[Tensor]):
    """A loader whose place in the run is the trainer's step, and needs no other state."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing; its presence tells Lightning that training may resume in mid-epoch."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""


class ShardDataModule(lightning.LightningDataModule):
    """Pictures from folders or tar shards.

    One epoch is the whole run, so progress bars show the time left of the run.

    Args:
        root: training pictures: a folder of pictures or tar shards, or one shard.
        val_root: validation pictures, the same; ``None`` trains without validation.
        steps: length of the run.
        batch_size: crops in a step, over all processes.
        crop: side of the crops, pixels.
        seed: the run's seed.
        in_memory: decode everything once and keep it (3 bytes a pixel); otherwise decode on demand.
        num_workers: loader processes; in memory a batch costs so little that 0 is best.
        val_limit: use only the first so many validation pictures.
    """

    def __init__(
        self,
        root: str,
        val_root: str | None,
        steps: int,
        batch_size: int = 8,
        crop: int = 256,
        seed: int = 0,
        in_memory: bool = True,
        num_workers: int = 0,
        val_limit: int | None = None,
    ) -> None:
        super().__init__()
        self.root = root
        self.val_root = val_root
        self.steps = steps
        self.batch_size = batch_size
        self.crop = crop
        self.seed = seed
        self.in_memory = in_memory
        self.num_workers = num_workers
        self.val_limit = val_limit
        self.train_store: ImageStore | None = None
        self.val_store: ImageStore | None = None

    def setup(self, stage: str) -> None:
        """Find the pictures, and decode them if they are to stay in memory.

        Raises:
            DataError: a folder is missing or holds nothing that can be used.
        """
        if self.train_store is None:
            self.train_store = self._open(self.root, None, self.crop)
        if self.val_root is not None and self.val_store is None:
            self.val_store = self._open(self.val_root, self.val_limit, 1)

    def _open(self, root: str, limit: int | None, min_side: int) -> ImageStore:
        files = find_images(root)[:limit]
        store = MemoryStore(files, min_side) if self.in_memory else FileStore(files, min_side)
        log.info("%s: %d pictures", root, len(store))
        return store

    def train_dataloader(self) -> StepLoader:
        """Batches of the steps still to be done, each (B, 3, crop, crop) uint8."""
        assert self.train_store is not None and self.trainer is not None
        trainer = self.trainer
        if not 0 <= trainer.max_steps <= self.steps:  # an exhausted sampler would loop for ever
            raise DataError(
                f"The trainer wants {trainer.max_steps} steps but the data {self.steps}; set steps=..."
            )
        rank, world_size = trainer.global_rank, trainer.world_size
        batches = CropBatches(self.train_store, self.batch_size, self.crop, self.seed, rank, world_size)
        sampler = StepSampler(self.steps, lambda: trainer.global_step)
        return StepLoader(batches, batch_size=None, sampler=sampler, num_workers=self.num_workers)

    def val_dataloader(self) -> DataLoader[Tensor] | list[Any]:
        """Whole pictures, one at a time, each (1, 3, H, W) uint8."""
        return [] if self.val_store is None else DataLoader(WholeImages(self.val_store), batch_size=None)

    def on_after_batch_transfer(self, batch: Tensor, dataloader_idx: int) -> Tensor:
        """8-bit to [0, 1], float32, on the device."""
        return batch.float() / 255
