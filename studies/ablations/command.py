"""Train the shipped weights on with every ablation and put their table and figure into docs/.

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
from studies.ablations.report import ablation_figure, section
from studies.ablations.rows import runs
from studies.ablations.training import TEST_SET, Results, Run
from studies.images import TestImages, TrainingImages, load_test_images
from studies.page import DOCS, make_command, without_options, write_image, write_section
from studies.records import Record

__all__ = ["main"]

FIGURE = "ablations.png"
SIDE = 256
LIMIT = 12
UNRECORDED = ("--data", "--val", "--folder", "--docs", "--threads", "--report")
"""Options that are left out of the recorded command."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.ablations", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", default="data/train", help="training images: a folder, shards or a list")
    add("--val", type=Path, default=Path("data/val"), metavar="FOLDER", help="images to measure on")
    add("--images", type=int, default=120, metavar="N", help="of the training set")
    add("--seeds", type=int, default=2, metavar="N", help="runs per row")
    add("--steps", type=int, metavar="N", help="of every run, to try things out")
    add("--folder", type=Path, default=Path("runs/ablations"), help="of the runs")
    add("--docs", type=Path, default=DOCS, help="ablations.md and images/ are in it")
    add("--threads", type=int, default=1)
    add("--report", action="store_true", help="train nothing; report what there is")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; 0, or 1 with a sentence."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its greeting, fifty times
    planned = runs(args.seeds, args.steps)
    try:
        results = Results(args.folder, SIDE)
        records = {run: record for run in planned if (record := results.record(run)) is not None}
        if not args.report:
            images = load_test_images({TEST_SET: args.val}, SIDE, LIMIT)
            _complete(planned, records, results, args, images)
        how = provenance(make_command("ablations", without_options(arguments, UNRECORDED)))
        text = section(records, len(planned), FIGURE, how)
        write_image(args.docs, FIGURE, ablation_figure(records))
        write_section(args.docs / "ablations.md", "ablations", text)
    except GlicError as error:
        print(f"ablations: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


def _complete(
    runs: Sequence[Run],
    records: dict[Run, Record],
    results: Results,
    args: argparse.Namespace,
    images: TestImages,
) -> None:
    """Train and measure what is not done yet, with a line per run."""
    missing = [run for run in runs if run not in records]
    if not missing:
        return
    data = missing[0].config().data
    training = TrainingImages(args.data, args.images, data.batch_size, data.crop)
    for number, run in enumerate(missing, start=1):
        start = time.perf_counter()
        records[run] = results.complete(run, training, images)
        print(f"{number}/{len(missing)} {run.name}  {time.perf_counter() - start:.0f} s", flush=True)
