"""Where crops are cut from: images decoded one at a time, or a decoded set in memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.data.index import Catalogue
from glic_pyg.errors import DataError, UnreadableImage
from glic_pyg.memory import check_memory
from glic_pyg.training.crops import Batch, CropPlan, cut


class ImageStore(Protocol):
    """Makes batches of crops from their plans; all kinds of stores make the same."""

    def crops(self, plan: CropPlan) -> Batch:
        """The planned crops, (B, 3, side, side) uint8, on the store's device."""


class DiskStore:
    """Decodes an image whenever a crop of it is wanted: for data sets larger than memory.

    Args:
        catalogue: the images.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.broken = np.zeros(len(catalogue), np.bool_)

    def crops(self, plan: CropPlan) -> Batch:
        """The planned crops, (B, 3, side, side) uint8."""
        count = len(plan.places)
        made = [self._crop(plan.part(place, count)) for place in range(count)]
        crops, names, unreadable = zip(*made, strict=True)
        return Batch(torch.cat(crops), names, tuple(line for lines in unreadable for line in lines))

    def _crop(self, plan: CropPlan) -> tuple[Tensor, str, list[str]]:
        """The one crop of a plan, its image's name, and a line for each broken image on the way."""
        unreadable: list[str] = []
        while True:
            numbers = plan.images(self.broken)
            number = int(numbers[0])
            try:
                pixels = _decode(self.catalogue, number)
            except UnreadableImage as error:
                self.broken[number] = True
                unreadable.append(str(error))
            else:
                crop = cut(pixels, np.zeros(1, np.int64), self.catalogue.sizes[numbers], plan)
                return crop, self.catalogue.files[number].name, unreadable


class MemoryStore:
    """Decodes everything once; a crop then costs a few microseconds and 3 bytes a pixel are kept.

    Args:
        catalogue: the images.
        device: where the pixels are kept and the crops are cut.
        wanted: for each image whether it is needed; all are if not given.
        threads: decoding threads, all cores by default.

    Attributes:
        unreadable: one line for each image that could not be decoded, with its name and the reason.

    Raises:
        NotEnoughMemory: the images are larger than the memory that is free.
        DataError: not one can be decoded.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        device: torch.device | str = "cpu",
        wanted: NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.broken = np.zeros(len(catalogue), np.bool_) if wanted is None else ~wanted
        counts = np.where(self.broken, 0, catalogue.sizes.prod(axis=1))
        advice = "decode them on demand with data=disk"
        check_memory(3 * int(counts.sum()), "Keeping all images decoded", advice, str(device))
        self.offsets = np.cumsum(counts) - counts
        self.pixels = torch.empty((int(counts.sum()), 3), dtype=torch.uint8, device=device)
        self.unreadable: list[str] = []
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            numbers = np.flatnonzero(~self.broken).tolist()
            for number, fault in zip(numbers, pool.map(self._load, numbers), strict=True):
                if fault is not None:
                    self.broken[number] = True
                    self.unreadable.append(fault)
        if self.broken.all():
            raise DataError(f"No image can be decoded; the first: {self.unreadable[0]}")

    def crops(self, plan: CropPlan) -> Batch:
        """The planned crops, (B, 3, side, side) uint8 on the store's device."""
        numbers = plan.images(self.broken)
        names = tuple(self.catalogue.files[number].name for number in numbers)
        return Batch(cut(self.pixels, self.offsets[numbers], self.catalogue.sizes[numbers], plan), names)

    def image(self, number: int) -> Tensor:
        """A whole image, (3, H, W) uint8 on the store's device."""
        height, width = self.catalogue.sizes[number].tolist()
        first = int(self.offsets[number])
        pixels = self.pixels[first : first + height * width]
        return pixels.view(height, width, 3).permute(2, 0, 1).contiguous()

    def _load(self, number: int) -> str | None:
        """Decode an image to its place; returns what is wrong with it."""
        try:
            pixels = _decode(self.catalogue, number)
        except UnreadableImage as error:
            return str(error)
        first = int(self.offsets[number])
        self.pixels[first : first + len(pixels)] = pixels.to(self.pixels.device)
        return None


def _decode(catalogue: Catalogue, number: int) -> Tensor:
    """Pixels of an image, (H·W, 3) uint8."""
    file = catalogue.files[number]
    pixels = file.decode()
    if pixels.shape[:2] != tuple(catalogue.sizes[number]):
        raise UnreadableImage(f"{file.name}: changed since the data set was opened")
    return torch.from_numpy(pixels).view(-1, 3)
