"""Time and memory of attention along a graph's edges, by every path and by PyG's layers; a process each.

python -m benchmarks.graph_attention --size 64x96 --channels 192 --markdown
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
import torch_geometric.typing
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn import GATv2Conv, TransformerConv

from benchmarks.case import run_case
from benchmarks.graph_building import smooth_map
from glic_pyg.evaluation.peak_memory import added_memory
from glic_pyg.evaluation.provenance import provenance, this_machine
from glic_pyg.evaluation.tables import print_table
from glic_pyg.graph import WindowGraph, build_graphs
from glic_pyg.nn import GFAConv

__all__ = ["PATHS", "main", "measure"]

Layer = Callable[[Tensor], Tensor]
Path = Callable[[int, int, WindowGraph, Data], Layer]

ROUNDS = 3
HEADER = ("path", "forward, ms", "× windows in C", "forward + backward, ms", "× windows in C", "memory, MB")
LEGEND = (
    "One layer, all projections included, on one feature map's graph; the median of some rounds in which the "
    "path and windows in C take turns (the multiples compare those). Memory is what forward + backward add, "
    "at their peak, to the process with the layer, the graph and the features."
)


def _gfa(channels: int, heads: int) -> GFAConv:
    torch.manual_seed(0)
    return GFAConv(channels, heads=heads)


def _windows(channels: int, heads: int, graph: WindowGraph, data: Data) -> Layer:
    conv, real = _gfa(channels, heads), ~data.padding
    return lambda x: conv(x[real], graph)


def _edges(fused: bool) -> Path:
    def make(channels: int, heads: int, graph: WindowGraph, data: Data) -> Layer:
        conv = _gfa(channels, heads)
        conv.fused = fused
        return lambda x: conv(x, data.edge_index, data.edge_attr, data.padding)

    return make


def _of_pyg(layer: Callable[[int, int, int], Any]) -> Path:
    def make(channels: int, heads: int, graph: WindowGraph, data: Data) -> Layer:
        torch.manual_seed(0)
        conv = layer(channels, channels // heads, heads)
        return lambda x: conv(x, data.edge_index)

    return make


PATHS: dict[str, tuple[Path, dict[str, str], bool]] = {
    "windows, C": (_windows, {}, True),
    "windows, torch": (_windows, {"GLIC_KERNELS": "0"}, True),
    "edges, C": (_edges(True), {}, True),
    "edges, chunks by torch-scatter": (_edges(True), {"GLIC_KERNELS": "0"}, True),
    "edges, chunks by torch": (_edges(True), {"GLIC_KERNELS": "0"}, False),
    "edges, messages": (_edges(False), {}, True),
    "GATv2Conv": (_of_pyg(lambda i, o, h: GATv2Conv(i, o, h, add_self_loops=False)), {}, True),
    "TransformerConv": (_of_pyg(lambda i, o, h: TransformerConv(i, o, h)), {}, True),
}
"""By name: what makes the layer, variables of the environment, and whether torch-scatter may be used."""


def measure(name: str, height: int, width: int, channels: int, heads: int, kind: str) -> dict[str, float]:
    """Seconds of both passes, those of windows in C beside them, and bytes; call it once per process."""
    make, variables, scatter = PATHS[name]
    layer, x = _layer(make, height, width, channels, heads, kind)
    windows, _ = _layer(_windows, height, width, channels, heads, kind)
    with _settings(variables, scatter):
        small, few = _layer(make, 16, 16, channels, heads, kind)
        _train(small, few)  # what is done once per process
        memory = added_memory(lambda: _train(layer, x))
    rounds = []
    for _ in range(ROUNDS):
        times: list[float] = []
        for work in (_infer, _train):
            with _settings(variables, scatter):
                times.append(_seconds(work, layer, x))
            times.append(_seconds(work, windows, x))
        rounds.append(times)
    forward, forward_windows, both, both_windows = map(median, zip(*rounds, strict=True))
    return {"forward": forward, "forward_windows": forward_windows, "both": both,
            "both_windows": both_windows, "memory": memory}  # fmt: skip


def _layer(make: Path, height: int, width: int, channels: int, heads: int, kind: str) -> tuple[Layer, Tensor]:
    """The layer and the rows of its graph's nodes."""
    x = smooth_map(height, width, channels)
    graph = build_graphs(x)[kind]
    data = graph.to_data(x)
    return make(channels, heads, graph, data), data.x


@contextlib.contextmanager
def _settings(variables: dict[str, str], scatter: bool) -> Any:
    before, known = dict(os.environ), torch_geometric.typing.WITH_TORCH_SCATTER
    os.environ.update(variables)
    torch_geometric.typing.WITH_TORCH_SCATTER = known and scatter
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        torch_geometric.typing.WITH_TORCH_SCATTER = known


@torch.no_grad()
def _infer(layer: Layer, x: Tensor) -> None:
    layer(x)


def _train(layer: Layer, x: Tensor) -> None:
    layer(x.detach().requires_grad_()).square().sum().backward()


def _seconds(work: Callable[[Layer, Tensor], None], layer: Layer, x: Tensor) -> float:
    start = time.perf_counter()
    work(layer, x)
    return time.perf_counter() - start


def row(name: str, found: dict[str, float]) -> tuple[str, ...]:
    """Cells in the order of :data:`HEADER`."""
    passes = [(found[part], found[part] / found[f"{part}_windows"]) for part in ("forward", "both")]
    times = [cell for seconds, ratio in passes for cell in (f"{1e3 * seconds:.0f}", f"{ratio:.2f}")]
    return (name, *times, f"{found['memory'] / 1e6:.0f}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every path and print a table: 0, or 1 if one failed."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.graph_attention", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=list(PATHS), metavar="PATH")
    parser.add_argument("--size", default="64x96", metavar="HxW", help="of the feature map")
    parser.add_argument("--channels", type=int, default=192)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--kind", choices=("local", "mesh"), default="local")
    parser.add_argument(
        "--threads", type=int, default=this_machine().cores, metavar="N", help="default: all usable cores"
    )
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/graphs.md")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    height, width = (int(side) for side in args.size.split("x"))
    if args.one:
        torch.set_num_threads(args.threads)
        print(json.dumps(measure(args.paths[0], height, width, args.channels, args.heads, args.kind)))
        return 0
    how = provenance(["python", "-m", "benchmarks.graph_attention", *arguments])
    options = [f"--{name}={getattr(args, name)}" for name in ("size", "channels", "heads", "kind", "threads")]
    found = {path: run_case("benchmarks.graph_attention", ["--one", *options, "--paths", path])
             for path in args.paths}  # fmt: skip
    rows = [row(path, case) for path, case in found.items() if case]
    print_table(HEADER, rows, markdown=args.markdown, left=1)
    print(f"\n{LEGEND}\n\n{how}")
    return 0 if len(rows) == len(args.paths) else 1


if __name__ == "__main__":
    raise SystemExit(main())
