"""Crops per second from each way of keeping the images, against what training steps consume.

python -m benchmarks.loader --data /images/train --model glic_xs --model glic
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.case import build_model
from glic_pyg.data.index import Catalogue, build_catalogue
from glic_pyg.evaluation.tables import markdown_table
from glic_pyg.training.crops import Batch, CropPlanner
from glic_pyg.training.data import CropBatches, StepLoader, StepSampler
from glic_pyg.training.image_store import DiskStore, MemoryStore
from glic_pyg.training.losses import RateDistortionLoss

__all__ = ["Loader", "consumption", "main", "throughput"]

WARM_UP, REPEATS = 4, 3


@dataclass(frozen=True)
class Loader:
    """One way of keeping the images.

    Attributes:
        name: for the table.
        batches: an endless iterator of batches.
        opening: seconds until the first batch can be requested.
        size: bytes of decoded images kept in memory.
    """

    name: str
    batches: Iterator[Batch]
    opening: float
    size: int = 0


def loaders(
    catalogue: Catalogue, planner: CropPlanner, workers: Sequence[int], device: torch.device
) -> Iterator[Loader]:
    """Every way of keeping the images, one after the other."""
    for count in workers:
        yield Loader(f"on disk, workers: {count}", _batches(DiskStore(catalogue), planner, count), 0.0)
    for place in dict.fromkeys((torch.device("cpu"), device)):
        start = time.perf_counter()
        store = MemoryStore(catalogue, place, planner.wanted())
        opening = time.perf_counter() - start
        yield Loader(f"in memory, {place}", _batches(store, planner, 0), opening, store.pixels.nbytes)


def _batches(store: DiskStore | MemoryStore, planner: CropPlanner, workers: int) -> Iterator[Batch]:
    sampler = StepSampler(10**9, lambda: 0)
    return iter(
        StepLoader(CropBatches(store, planner), batch_size=None, sampler=sampler, num_workers=workers)
    )


def throughput(batches: Iterator[Batch], count: int, device: torch.device) -> float:
    """Crops per second on the device: the fastest of some runs of ``count`` batches, after a warm-up."""

    def run(batches_wanted: int) -> int:
        crops = [len(batch.x.to(device)) for batch in itertools.islice(batches, batches_wanted)]
        return sum(crops)

    run(WARM_UP)
    return max(_per_second(lambda: run(count), device) for _ in range(REPEATS))


def consumption(model: Any, x: Tensor, count: int) -> float:
    """Crops per second of training steps: forward, loss, backward, Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    loss = RateDistortionLoss()

    def steps(number: int) -> int:
        for _ in range(number):
            out = model(x)
            optimizer.zero_grad()
            loss(x, out["x_hat"], out["likelihoods"], model.ortho_loss()).loss.backward()
            optimizer.step()
        return number * len(x)

    steps(1)
    return max(_per_second(lambda: steps(count), x.device) for _ in range(REPEATS))


def _per_second(work: Callable[[], int], device: torch.device) -> float:
    """The count that a piece of work returns, per second."""
    start = time.perf_counter()
    done = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return done / (time.perf_counter() - start)


def table(rows: Sequence[tuple[Loader, float]], steps: dict[str, float]) -> str:
    """Markdown: a row for each loader, a column for each model."""
    consumers = [f"× a step of {name} ({rate:.3g} crops/s)" for name, rate in steps.items()]
    header = ["images kept", "opening, s", "GB", "crops/s", *consumers]
    cells = []
    for loader, rate in rows:
        fixed = [loader.name, f"{loader.opening:.1f}", f"{loader.size / 1e9:.2f}", f"{rate:.0f}"]
        cells.append([*fixed, *(f"{rate / step:.1f}" for step in steps.values())])
    return markdown_table(header, cells)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loader", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder, tar shards or a list of files")
    parser.add_argument(
        "--model", action="append", default=[], help="of conf/model; several times for several"
    )
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument(
        "--batches", type=int, default=20, help="in a run, of which the fastest of three counts"
    )
    parser.add_argument("--steps", type=int, default=1, help="in a run of training steps")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(argv)
    device = torch.device(args.device)
    catalogue = build_catalogue(args.data)
    planner = CropPlanner(catalogue, args.batch_size, args.crop)
    rows = [
        (loader, throughput(loader.batches, args.batches, device))
        for loader in loaders(catalogue, planner, args.workers, device)
    ]
    x = torch.rand(args.batch_size, 3, args.crop, args.crop, device=device)
    steps = {name: consumption(build_model(name).to(device).train(), x, args.steps) for name in args.model}
    print(f"{args.data}: {catalogue.summary()}, {catalogue.sizes.prod(axis=1).sum() / 1e6:.0f} Mpixel")
    print(
        f"batches of {args.batch_size}, crops of {args.crop}, {torch.get_num_threads()} threads, {device}\n"
    )
    print(table(rows, steps))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
