"""Time of building the graphs of a feature map: in C, and by torch operators.

python -m benchmarks.graph_building --size 128x192 --channels 48 --threads 1 --markdown
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from benchmarks.decoder_settings import without_kernels
from benchmarks.floor import float32_rate
from glic_pyg.evaluation.provenance import provenance, this_machine
from glic_pyg.evaluation.tables import print_table
from glic_pyg.graph import GraphBuilder, build_radius_graph
from glic_pyg.runtime import prepare

__all__ = ["BUILDERS", "HEADER", "main", "measure", "row", "smooth_map"]

Build = Callable[[Tensor], object]

ROUNDS = 7
CANDIDATES = 256
BUILDERS: dict[str, Build] = {
    "local, exact": GraphBuilder(method="exact", kinds=["local"]),
    "local, bisection": GraphBuilder(method="bisection", kinds=["local"]),
    "mesh, exact": GraphBuilder(method="exact", kinds=["mesh"]),
    "mesh, bisection": GraphBuilder(method="bisection", kinds=["mesh"]),
    "radius 6, exact": lambda x: build_radius_graph(x, radius=6, method="exact"),
}
HEADER = ("graph", "in C, ms", "× the products", "by torch, ms", "× in C")
LEGEND = (
    f"One map; the median of {ROUNDS} rounds in which both take turns. The products are those of the "
    f"similarities, of every node with its {CANDIDATES} candidates, at the rate of a large matrix product."
)


def measure(build: Build, x: Tensor) -> dict[str, float]:
    """Seconds of a build in C and by torch operators, and what its products alone would take."""
    times: dict[str, list[float]] = {"C": [], "torch": []}
    rate = float32_rate()
    for _ in range(ROUNDS):
        for name, setting in (("C", contextlib.nullcontext()), ("torch", without_kernels())):
            with setting:
                start = time.perf_counter()
                build(x)
                times[name].append(time.perf_counter() - start)
    rate = (rate + float32_rate()) / 2
    products = 2 * x.numel() * CANDIDATES / rate
    return {"products": products, **{name: median(seconds) for name, seconds in times.items()}}


def row(name: str, found: dict[str, float]) -> tuple[str, ...]:
    """Cells in the order of :data:`HEADER`."""
    ours, plain = found["C"], found["torch"]
    multiples = ours / found["products"], plain / ours
    return name, f"{1e3 * ours:.1f}", f"{multiples[0]:.1f}", f"{1e3 * plain:.1f}", f"{multiples[1]:.1f}"


def smooth_map(height: int, width: int, channels: int) -> Tensor:
    """A map whose neighbours are alike, as those of a photograph."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, channels, -(-height // 4), -(-width // 4), generator=generator)
    noise = torch.randn(1, channels, height, width, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear") + 0.3 * noise


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for every kind of graph."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.graph_building", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--size", default="128x192", metavar="HxW", help="of the feature map")
    parser.add_argument("--channels", type=int, default=48)
    parser.add_argument(
        "--threads", type=int, default=this_machine().cores, metavar="N", help="default: all usable cores"
    )
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/graphs.md")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    height, width = (int(side) for side in args.size.split("x"))
    x = smooth_map(height, width, args.channels)
    rows = [row(name, measure(build, x)) for name, build in BUILDERS.items()]
    print_table(HEADER, rows, markdown=args.markdown, left=1)
    print(f"\n{LEGEND}\n\n{provenance(['python', '-m', 'benchmarks.graph_building', *arguments])}")
    return 0


if __name__ == "__main__":
    prepare()
    raise SystemExit(main())
