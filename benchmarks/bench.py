"""Time and memory of every part of the codec: each case in a process of its own, then one table.

python -m benchmarks --models glic glic_xs --sizes 768x512 --precision float32 bf16
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from benchmarks.report import HEADER, LEGEND, row
from glic_pyg.evaluation.provenance import provenance, this_machine
from glic_pyg.evaluation.tables import print_table
from glic_pyg.files import write_file

__all__ = ["main"]

MODELS = ("glic", "glic_m", "glic_s", "glic_xs")
SIZES = ("768x512", "1536x1024", "2048x1365")
PRECISIONS = ("float32", "bf16")


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
            case = _run(model, size, precision, args.threads)
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


def _run(model: str, size: str, precision: str, threads: int) -> dict[str, Any] | None:
    """Measure one case in a new process; a failure is printed."""
    command = [sys.executable, "-m", "benchmarks.case", "--model", model, "--size", size]
    command += ["--precision", precision, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]
        print(f"benchmarks: {model} {size} {precision}: {last}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found
