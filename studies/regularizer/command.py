"""Train the grid, measure it, and put its table and figure into docs/.

python -m studies.regularizer --data data/train --kodak data/kodak --ood data/ood
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
from glic_pyg.evaluation.provenance import Provenance, provenance
from studies.images import TestImages, TrainingImages, find_test_sets, load_test_images
from studies.page import DOCS, make_command, without_options, write_image, write_section
from studies.regularizer.curves import Curves, study_figure
from studies.regularizer.measuring import Results
from studies.regularizer.plan import Run, plan, read_study
from studies.regularizer.report import Scale, section

__all__ = ["SETTINGS", "main"]

SETTINGS = Path(__file__).parent / "study.yaml"
FIGURE = "regularizer.png"
UNRECORDED = ("--data", "--kodak", "--ood", "--folder", "--docs", "--threads", "--report")
"""Options that are left out of the recorded command."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studies.regularizer", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--data", default="data/train", help="training images: a folder, shards or a list")
    add("--kodak", type=Path, default=Path("data/kodak"), metavar="FOLDER")
    add("--ood", type=Path, default=Path("data/ood"), metavar="FOLDER", help="a set in each of its folders")
    add("--study", type=Path, default=SETTINGS, metavar="FILE", help="settings")
    add("--steps", type=int, metavar="N", help="of every run, to try things out")
    add("--folder", type=Path, default=Path("runs/regularizer_study"), help="of the runs")
    add("--docs", type=Path, default=DOCS, help="regularizer.md and images/ are in it")
    add("--threads", type=int, default=1)
    add("--report", action="store_true", help="train nothing; measure and report what there is")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; 0, or 1 with a sentence."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its greeting, a hundred times
    try:
        study = read_study(args.study, args.steps)
        folders, missing = find_test_sets(args.kodak, args.ood)
        for path in missing:
            print(f"There are no test images at {path}: skipped (data/README.md).", file=sys.stderr)
        images = load_test_images(folders, study.side, study.limit)
        results, runs = Results(args.folder, study), plan(study)
        _complete(runs, results, None if args.report else args.data, images)
        how = provenance(make_command("regularizer-study", without_options(arguments, UNRECORDED)))
        text = _write(args.docs, results, runs, images, how)
    except GlicError as error:
        print(f"regularizer study: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


def _complete(runs: Sequence[Run], results: Results, data: str | None, images: TestImages) -> None:
    """Train and measure what is not done yet, with a line per run."""
    study, training = results.study, None
    if data is not None and any(results.record(run) is None for run in runs):
        training = TrainingImages(data, study.images, study.batch_size, study.crop)
    for number, run in enumerate(runs, start=1):
        start = time.perf_counter()
        results.complete(run, training, images)
        if (seconds := time.perf_counter() - start) > 0.1:
            print(f"{number}/{len(runs)} {run.name}  {seconds:.0f} s", flush=True)


def _write(docs: Path, results: Results, runs: list[Run], images: TestImages, how: Provenance) -> str:
    """Write figure and section; returns the section."""
    study, finished = results.study, list(results.finished(runs))
    curves = Curves(finished, {name: codec["lmbdas"] for name, codec in study.codecs.items()})
    scale = Scale(
        planned=sum(run.is_branch for run in runs),
        images={name: len(members) for name, members in images.items()},
        side=study.side,
        seconds=sum(record["seconds"] for run in runs if (record := results.record(run)) is not None),
    )
    text = section(study, curves, scale, FIGURE, how)
    write_image(docs, FIGURE, study_figure(curves, list(images)))
    write_section(docs / "regularizer.md", "regularizer-study", text)
    return text
