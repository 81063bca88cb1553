"""Random crops as a function of the step."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from glic_pyg.training.image_store import ImageStore
from glic_pyg.training.step_seed import step_seed


class CropBatches(Dataset[Tensor]):
    """Item s is the batch of training step s, the same whoever asks for it and whenever.

    Sample number n = s · batch_size + i takes its picture from pass n // N through all N pictures,
    each pass in an order of its own. Place, flips and transposition hang on (seed, s, i).

    Args:
        store: pictures, each at least `crop` on both sides.
        batch_size: samples in a batch, over all ranks together.
        crop: side of the square crops, pixels.
        seed: the run's seed.
        rank: this process; it gets samples rank, rank + world_size, ... of each batch.
        world_size: number of processes; batch_size must be a multiple of it.
    """

    def __init__(
        self,
        store: ImageStore,
        batch_size: int,
        crop: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(f"batch size {batch_size} is not a positive multiple of {world_size} processes.")
        self.store = store
        self.batch_size = batch_size
        self.crop = crop
        self.seed = seed
        self.samples = range(rank, batch_size, world_size)

    def __getitem__(self, step: int) -> Tensor:
        """Batch of a step, (B, 3, crop, crop) uint8."""
        crops = [self.sample(step, index) for index in self.samples]
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()

    def sample(self, step: int, index: int) -> NDArray[np.uint8]:
        """Crop number `index` of a step's batch, (crop, crop, 3) uint8."""
        turn, place = divmod(step * self.batch_size + index, len(self.store))
        image = self.store[int(_order(self.seed, turn, len(self.store))[place])]
        draw = np.random.default_rng(step_seed(self.seed, step, index))
        top = draw.integers(image.shape[0] - self.crop + 1)
        left = draw.integers(image.shape[1] - self.crop + 1)
        patch = image[top : top + self.crop, left : left + self.crop]
        flip_rows, flip_columns, transpose = draw.integers(2, size=3)
        patch = patch[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
        return patch.swapaxes(0, 1) if transpose else patch


@lru_cache(maxsize=4)
def _order(seed: int, turn: int, length: int) -> NDArray[np.int64]:
    return np.random.default_rng(step_seed(seed, turn, length, 0)).permutation(length)


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
