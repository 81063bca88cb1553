"""Crops of training images: which ones a step sees, as a function of the step, and how they are cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.data.index import Catalogue
from glic_pyg.errors import DataError
from glic_pyg.training.noise import derive_seed
from glic_pyg.training.schedules import Stage, Stages


class Batch(NamedTuple):
    """Images or crops of them, with the names that error messages need.

    A named tuple of a tensor and of strings, which survives collation, pinning and Lightning's transfer to
    the device (they may turn the inner tuples into lists).

    Attributes:
        x: (B, 3, H, W); uint8 from the loader, float32 in [0, 1] once it is on the device.
        names: of the B images, e.g. ``animals/cat.png`` or ``train-000.tar!cat.jpg``.
        unreadable: one line for each image that could not be decoded, and was replaced by another,
            while this batch was made.
    """

    x: Tensor
    names: Sequence[str]
    unreadable: Sequence[str] = ()


_CROPS, _ORDER = 1, 2  # keep the draws of different things apart
_NOTHING_FITS = (
    "None of the {count} images is {side} pixels high and wide; use smaller crops or small=mirror."
)


class CropPlan(NamedTuple):
    """The crops of one batch, before any image is looked at.

    Attributes:
        usable: numbers of the images that are large enough, (M,).
        places: of the B images in `usable`, (B,).
        corners: vertical and horizontal position as shares of what there is to choose from, (B, 2) in [0, 1).
        flips: whether to mirror rows, columns and diagonal, (B, 3) bool.
        side: of the crops, pixels.
    """

    usable: NDArray[np.int64]
    places: NDArray[np.int64]
    corners: NDArray[np.float64]
    flips: NDArray[np.bool_]
    side: int

    def images(self, broken: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Numbers of the B images; for one that is broken the next usable one in order stands in.

        So it does not matter when and by whom a broken image is found out.

        Args:
            broken: for each image of the data set whether it is known to be unreadable.
        """
        whole = np.flatnonzero(~broken[self.usable])
        if not len(whole):
            raise DataError(f"None of {len(self.usable)} images can be decoded; see glic data check.")
        return self.usable[whole[np.searchsorted(whole, self.places) % len(whole)]]

    def coordinates(self, sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the crops in their images, each (B, side), before the diagonal flip.

        An image smaller than the crop goes on as its mirror image.

        Args:
            sizes: heights and widths of the B images, (B, 2).
        """
        first = np.floor(self.corners * np.maximum(1, sizes - self.side + 1)).astype(np.int64)
        forth = np.arange(self.side)
        index = first[..., None] + np.where(self.flips[:, :2, None], forth[::-1], forth)
        period = np.maximum(1, 2 * (sizes - 1))[..., None]
        index = np.minimum(index % period, period - index % period)
        return index[:, 0], index[:, 1]

    def part(self, rank: int, world_size: int) -> CropPlan:
        """What one of several processes sees of the batch: crops rank, rank + world_size, ..."""
        mine = slice(rank, None, world_size)
        return self._replace(places=self.places[mine], corners=self.corners[mine], flips=self.flips[mine])


class CropPlanner:
    """Plans the batch of any step of the run.

    Within a stage, sample number n takes its image from pass n // M through all M images that are large
    enough, each pass in an order of its own. Everything depends on the seed and the step alone: not on
    processes, workers, storage, or where a run was stopped and resumed.

    Args:
        catalogue: the images.
        batch_size: crops in a batch, over all processes together.
        crop: side of the square crops, pixels.
        stages: factors on both; ``None`` for a run without stages.
        seed: the run's seed.
        flips: also mirror crops, in all eight ways. MLIC++ does not; the other papers do not say.
        mirror_small: use images smaller than the crop too, continued as their mirror image.

    Raises:
        DataError: in some stage no image is large enough, or a crop or batch is no whole number.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        batch_size: int,
        crop: int,
        stages: Stages | None = None,
        seed: int = 0,
        flips: bool = True,
        mirror_small: bool = False,
    ) -> None:
        self.batch_size = batch_size
        self.crop = crop
        self.stages = stages or Stages(1)
        self.seed = seed
        self.flips = flips
        self.images = len(catalogue)
        self.usable = []
        for stage in self.stages.stages:
            side = self.crop_and_batch(stage)[0]
            self.usable.append(catalogue.at_least(0 if mirror_small else side))
            if not len(self.usable[-1]):
                raise DataError(_NOTHING_FITS.format(count=len(catalogue), side=side))

    def __call__(self, step: int) -> CropPlan:
        """The whole batch of the step that follows `step` finished ones."""
        stage = self.stages.at(step)
        side, batch = self.crop_and_batch(stage)
        usable = self.usable[stage.number]
        turns, rest = divmod((step - stage.start) * batch + np.arange(batch), len(usable))
        places = np.empty(batch, np.int64)
        for turn in np.unique(turns):
            order = _order(self.seed, stage.number, int(turn), len(usable))
            places[turns == turn] = order[rest[turns == turn]]
        draw = np.random.default_rng(derive_seed(self.seed, step, 0, 0, _CROPS))
        corners = draw.random((batch, 2))
        flips = draw.random((batch, 3)) < (0.5 if self.flips else 0)
        return CropPlan(usable, places, corners, flips, side)

    def crop_and_batch(self, stage: Stage) -> tuple[int, int]:
        """Side of the crops and number of them in a stage."""
        return _times("crop", self.crop, stage.crop), _times("batch_size", self.batch_size, stage.batch)

    def wanted(self) -> NDArray[np.bool_]:
        """For each image whether any stage uses it."""
        return np.isin(np.arange(self.images), np.concatenate(self.usable))

    def left_out(self) -> list[str]:
        """A few words for each size of crop that some of the images are too small for."""
        counts = {
            self.crop_and_batch(stage)[0]: self.images - len(usable)
            for stage, usable in zip(self.stages.stages, self.usable, strict=True)
        }
        return [
            f"{count} too small for crops of {side} and left out" for side, count in counts.items() if count
        ]


def _times(name: str, number: int, factor: float) -> int:
    product = round(number * factor)
    if product < 1 or abs(product - number * factor) > 1e-6:
        raise DataError(
            f"A stage wants {factor:g} times {name}={number}, which is no whole number of at least 1."
        )
    return product


@lru_cache(maxsize=4)
def _order(seed: int, stage: int, turn: int, length: int) -> NDArray[np.int64]:
    return np.random.default_rng(derive_seed(seed, turn, stage, length, _ORDER)).permutation(length)


def cut(pixels: Tensor, offsets: NDArray[np.int64], sizes: NDArray[np.int64], plan: CropPlan) -> Tensor:
    """Gather the pixels of B planned crops; there is no loop over them, on the CPU or on a GPU.

    Args:
        pixels: of all images, row after row and image after image, (P, 3) uint8.
        offsets: number of the first pixel of each crop's image, (B,).
        sizes: heights and widths of the crops' images, (B, 2).
        plan: of the B crops.

    Returns:
        (B, 3, side, side) uint8, contiguous, on the device of `pixels`.
    """
    first, width, rows, columns, diagonal = (
        torch.from_numpy(np.ascontiguousarray(array)).to(pixels.device)
        for array in (offsets, sizes[:, 1], *plan.coordinates(sizes), plan.flips[:, 2])
    )
    index = (first[:, None] + rows * width[:, None])[:, :, None] + columns[:, None, :]
    index = torch.where(diagonal[:, None, None], index.mT, index)
    crops = pixels.index_select(0, index.flatten()).unflatten(0, index.shape)
    return crops.permute(0, 3, 1, 2).contiguous()
