"""The batches of a run, one item a step."""

from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from glic_pyg.errors import DataError
from glic_pyg.training.batch import Batch
from glic_pyg.training.crop_plan import CropPlanner
from glic_pyg.training.image_store import ImageStore


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
