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
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.files import write_file
from studies.records import replace_section
from studies.regularizer.curves import Curves, study_figure
from studies.regularizer.measuring import Pictures, Results, find_sets, load_pictures
from studies.regularizer.plan import Run, Study, plan, read_study
from studies.regularizer.report import Scale, section
from studies.short_runs import TrainingPictures

__all__ = ["main"]


HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FIGURE = "regularizer.png"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studies.regularizer", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", default="data/train", help="training pictures: a folder, shards or a list")
    parser.add_argument("--kodak", type=Path, default=Path("data/kodak"), metavar="FOLDER")
    parser.add_argument(
        "--ood", type=Path, default=Path("data/ood"), metavar="FOLDER", help="a set in each of its folders"
    )
    parser.add_argument("--study", type=Path, default=HERE / "study.yaml", metavar="FILE", help="settings")
    parser.add_argument("--steps", type=int, metavar="N", help="of every run, to try things out")
    parser.add_argument("--folder", type=Path, default=Path("runs/regularizer_study"), help="of the runs")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="results.md and images/ are in it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--report", action="store_true", help="train nothing; measure and report what there is"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; 0, or 1 with a sentence."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its greeting, a hundred times
    try:
        study = read_study(args.study, args.steps)
        pictures = _pictures(args.kodak, args.ood, study)
        results = Results(args.folder, study)
        runs = plan(study)
        _complete(runs, results, None if args.report else args.data, pictures)
        _write(args, arguments, study, results, runs, pictures)
    except GlicError as error:
        print(f"regularizer study: {error}", file=sys.stderr)
        return 1
    return 0


def _pictures(kodak: Path, ood: Path, study: Study) -> Pictures:
    """The test sets that are there; the others are named."""
    folders, missing = find_sets(kodak, ood)
    for path in missing:
        print(f"There are no test pictures at {path}: skipped (data/README.md).", file=sys.stderr)
    if not folders:
        raise GlicError(f"There is nothing to measure on: neither {kodak} nor {ood} exists.")
    return load_pictures(folders, study.side, study.limit)


def _complete(runs: Sequence[Run], results: Results, data: str | None, pictures: Pictures) -> None:
    """Train and measure what is not done yet, with a line a run."""
    to_train = data is not None and any(results.record(run) is None for run in runs)
    study, training = results.study, None
    if data is not None and to_train:
        training = TrainingPictures(data, study.pictures, study.batch_size, study.crop)
    for number, run in enumerate(runs, start=1):
        start = time.perf_counter()
        results.complete(run, training, pictures)
        if (seconds := time.perf_counter() - start) > 0.1:
            print(f"{number}/{len(runs)} {run.name}  {seconds:.0f} s", flush=True)


def _write(
    args: argparse.Namespace,
    arguments: Sequence[str],
    study: Study,
    results: Results,
    runs: list[Run],
    pictures: Pictures,
) -> None:
    """Table and figure, and the table on the terminal."""
    finished = list(results.finished(runs))
    curves = Curves(finished, {name: codec["lmbdas"] for name, codec in study.codecs.items()})
    scale = Scale(
        planned=sum(run.kind != "base" for run in runs),
        pictures={name: len(members) for name, members in pictures.items()},
        side=study.side,
        bits=[f.record["bits"] for f in finished if "bits" in f.record],
    )
    command = ["make", "regularizer-study", *([f"ARGS={' '.join(arguments)}"] if arguments else [])]
    text = section(study, curves, scale, FIGURE, provenance(command))
    page = args.docs / "results.md"
    (args.docs / "images").mkdir(parents=True, exist_ok=True)
    write_file(args.docs / "images" / FIGURE, study_figure(study, curves, list(pictures)))
    before = page.read_text(encoding="utf-8") if page.is_file() else "# Results\n"
    write_file(page, replace_section(before, "regularizer-study", text))
    print(text)
