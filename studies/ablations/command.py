"""Train the short run of every ablation and put their table and figure into docs/.

python -m studies.ablations --data data/train --val data/val
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.files import write_file
from studies.ablations.report import ablation_figure, section
from studies.ablations.rows import ROWS
from studies.ablations.training import Results, Run
from studies.records import Record, replace_section
from studies.regularizer.measuring import Pictures, load_pictures
from studies.short_runs import TrainingPictures

__all__ = ["main"]


ROOT = Path(__file__).parent.parent.parent
FIGURE = "ablations.png"
SIDE = 256
LIMIT = 12


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.ablations", description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/train", help="training pictures: a folder, shards or a list")
    parser.add_argument(
        "--val", type=Path, default=Path("data/val"), metavar="FOLDER", help="pictures to measure on"
    )
    parser.add_argument("--pictures", type=int, default=120, metavar="N", help="of the training set")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="runs a row")
    parser.add_argument("--steps", type=int, metavar="N", help="of every run, to try things out")
    parser.add_argument("--folder", type=Path, default=Path("runs/ablations"), help="of the runs")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="ablations.md and images/ are in it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="train nothing; report what there is")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; 0, or 1 with a sentence."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its greeting, forty times
    runs = [Run(row.name, seed, args.steps) for seed in range(args.seeds) for row in ROWS]
    try:
        results = Results(args.folder, SIDE)
        records = {run: record for run in runs if (record := results.record(run)) is not None}
        if not args.report:
            pictures = load_pictures({"val": args.val}, SIDE, LIMIT)
            _complete(runs, records, results, args, pictures)
        _write(args, arguments, records)
    except GlicError as error:
        print(f"ablations: {error}", file=sys.stderr)
        return 1
    return 0


def _complete(
    runs: Sequence[Run],
    records: dict[Run, Record],
    results: Results,
    args: argparse.Namespace,
    pictures: Pictures,
) -> None:
    """Train and measure what is not done yet, with a line a run; all rows of a seed before the next seed."""
    missing = [run for run in runs if run not in records]
    if not missing:
        return
    data = missing[0].config().data
    training = TrainingPictures(args.data, args.pictures, data.batch_size, data.crop)
    for number, run in enumerate(missing, start=1):
        start = time.perf_counter()
        records[run] = results.complete(run, training, pictures)
        print(f"{number}/{len(missing)} {run.name}  {time.perf_counter() - start:.0f} s", flush=True)


def _write(args: argparse.Namespace, arguments: Sequence[str], records: dict[Run, Record]) -> None:
    """Table and figure, and the table on the terminal."""
    command = ["make", "ablations", *([f"ARGS={' '.join(arguments)}"] if arguments else [])]
    text = section(records, planned=args.seeds * len(ROWS), figure=FIGURE, how=provenance(command))
    page = args.docs / "ablations.md"
    (args.docs / "images").mkdir(parents=True, exist_ok=True)
    write_file(args.docs / "images" / FIGURE, ablation_figure(records))
    before = page.read_text(encoding="utf-8") if page.is_file() else "# Ablations\n"
    write_file(page, replace_section(before, "ablations", text))
    print(text)
