"""Time and memory of every part of the codec: each case in a process of its own, then one table.

python -m benchmarks --models glic glic_xs --sizes 768x512 --precision float32 bf16
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from benchmarks.case import run_case
from glic_pyg.evaluation.provenance import provenance, this_machine
from glic_pyg.evaluation.tables import print_table
from glic_pyg.files import write_file

__all__ = ["HEADER", "main", "row"]

MODELS = ("glic", "glic_m", "glic_s", "glic_xs")
SIZES = ("768x512", "1536x1024", "2048x1365")
PRECISIONS = ("float32", "bf16")
HEADER = (
    "model",
    "size",
    "precision",
    "analysis, s",
    "synthesis, s",
    "entropy networks, s: encode",
    "decode",
    "coder, s: encode",
    "decode",
    "whole encode, s",
    "whole decode, s",
    "memory, MB: encode",
    "decode",
    "floor, GFLOP/s: encode",
    "decode",
)
LEGEND = (
    "In brackets: multiples of the time of a plain float32 matrix product of the same FLOPs (the floor, "
    "measured in the same process just before and after each run; FLOPs by formula, see "
    "benchmarks/flops.py); for the coder, the share of the whole. Entropy networks run in float64 but for "
    "h_a; the coder is everything from their output to bytes and back. Memory is what the work adds, at "
    "its peak, to the process with the loaded model. Times are of the median run of several."
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", default=MODELS, metavar="MODEL", help="of conf/model, or .safetensors files"
    )
    parser.add_argument("--sizes", nargs="+", type=_size, default=SIZES, metavar="WxH")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument(
        "--threads", type=int, default=this_machine().cores, metavar="N", help="default: all usable cores"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers; an older file goes")
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/results.md")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run all cases: 0, or 1 if one failed."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    how = provenance(["python", "-m", "benchmarks", *arguments])
    wanted = [(m, s, p) for m in args.models for s in args.sizes for p in args.precision]
    cases: list[dict[str, Any]] = []
    console = Console(stderr=True, highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=len(wanted))
        for model, size, precision in wanted:
            bar.update(task, description=f"{Path(model).stem} {size} {precision}")
            what = [f"--model={model}", f"--size={size}", f"--precision={precision}"]
            case = run_case("benchmarks.case", [*what, f"--threads={args.threads}"])
            if case is not None:
                cases.append(case)
            bar.advance(task)
    print_table(HEADER, [row(case) for case in cases], markdown=args.markdown, left=3)
    print(f"\n{LEGEND}\n\n{how}")
    if args.json:
        write_file(args.json, json.dumps({**asdict(how), "cases": cases}, indent=1) + "\n")
    return 0 if len(cases) == len(wanted) else 1


def _size(text: str) -> str:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text} is no size; write it like 768x512")
    return text


def row(case: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells of a case (``dataclasses.asdict`` of ``benchmarks.case.Case``), in the order of ``HEADER``."""
    flops, encode, decode = case["flops"], case["encode"], case["decode"]

    def cell(run: Mapping[str, Any], part: str, *operations: str) -> str:
        seconds = run["seconds"][part]
        return f"{seconds:.3g} ({seconds * run['rate'] / sum(flops[name] for name in operations):.2f}×)"

    def share(seconds: Mapping[str, float]) -> str:
        return f"{seconds['coder']:.3g} ({seconds['coder'] / seconds['whole']:.1%})"

    return (
        Path(case["model"]).stem,
        f"{case['width']}×{case['height']}",
        case["precision"],
        cell(encode, "analysis", "analysis"),
        cell(decode, "synthesis", "synthesis"),
        cell(encode, "networks", "encode_networks"),
        cell(decode, "networks", "decode_networks"),
        share(encode["seconds"]),
        share(decode["seconds"]),
        cell(encode, "whole", "analysis", "encode_networks"),
        cell(decode, "whole", "synthesis", "decode_networks"),
        f"{case['encode_memory'] / 1e6:.0f}",
        f"{case['decode_memory'] / 1e6:.0f}",
        f"{encode['rate'] / 1e9:.0f}",
        f"{decode['rate'] / 1e9:.0f}",
    )
