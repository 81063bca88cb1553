"""``glic inspect``: the graphs that a model builds for a photo, as a page, figures, numbers or data."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from glic_pyg.cli.console import say, shown
from glic_pyg.cli.options import add_coding_options, choose_device, set_threads
from glic_pyg.cli.paths import check_output
from glic_pyg.errors import GlicError

__all__ = ["FIELD_COUNT", "main"]

FIELD_COUNT = 12
"""Receptive fields of a page."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic inspect",
        description="Look at the graphs that a model builds for a photo: who reads from whom, where its bits "
        "go and where its error stays. Without an output the numbers are printed.",
        epilog="An export ends in .npz (NumPy), .pt (PyG), .graphml, .parquet or .json (the numbers).",
    )
    parser.add_argument("photo", metavar="PHOTO")
    parser.add_argument("-o", "--output", metavar="PAGE", help="write one HTML page to explore the graphs in")
    parser.add_argument("--figures", metavar="DIR", help="write figures for a paper: PNG, SVG and PDF")
    parser.add_argument("--numbers", action="store_true", help="print the numbers of every graph")
    parser.add_argument(
        "--export", action="append", default=[], metavar="FILE", help="write the graphs; see below"
    )
    parser.add_argument(
        "--against",
        metavar="SECOND",
        help="a second photo, a weights file, the name of shipped weights, or bf16: set beside the first",
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        type=_pixel,
        metavar="X,Y",
        help="a place for the figures to show",
    )
    parser.add_argument(
        "--fields",
        type=int,
        default=FIELD_COUNT,
        metavar="N",
        help=f"receptive fields on the page, a backward pass each (default: {FIELD_COUNT}; 0: none)",
    )
    parser.add_argument("--quality", type=float, metavar="Q", help="0 to 100, for weights of variable rate")
    parser.add_argument("--model", metavar="NAME", help="name of shipped weights (glic doctor lists them)")
    add_coding_options(parser)
    parser.add_argument("-f", "--force", action="store_true", help="overwrite files that exist")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    args = _parser().parse_args(argv)
    _check_arguments(args)

    from glic_pyg.cli.inspect_outputs import export, write_figures, write_html
    from glic_pyg.cli.inspect_subjects import subjects_of
    from glic_pyg.cli.inspect_tables import print_numbers, print_overlaps

    set_threads(args.threads)
    args.device = choose_device(args.device)
    both = f" and {shown(args.against)}" if args.against else ""
    say(f"inspect: looking at {shown(args.photo)}{both} ...")
    first, *second = subjects_of(args)
    for name in args.export:
        export(first.seen, Path(name), source=args.photo, force=args.force)
    if args.figures:
        write_figures(first, args.at, Path(args.figures), force=args.force)
    if args.output:
        write_html([first, *second], Path(args.output), args.fields)
    if args.numbers or not (args.export or args.figures or args.output):
        for subject in (first, *second):
            print_numbers(subject.seen)
    if second:
        print_overlaps(first.seen, second[0].seen)
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    """Find out before the work what cannot be done.

    Raises:
        GlicError: one sentence about it.
    """
    from glic_pyg.inspection.export_files import EXPORT_SUFFIXES

    if args.quality is not None and not 0 <= args.quality <= 100:
        raise GlicError(f"A quality is a number from 0 to 100, not {args.quality:g}.")
    if args.output:
        if Path(args.output).suffix.lower() not in (".html", ".htm"):
            raise GlicError(f"The page {shown(args.output)} should end in .html.")
        check_output(args.output, force=args.force, sources=[args.photo])
    for name in args.export:
        if Path(name).suffix not in EXPORT_SUFFIXES:
            raise GlicError(f"There is no export to '{shown(name)}'; end it in {', '.join(EXPORT_SUFFIXES)}.")
        if not Path(name).parent.is_dir():
            raise GlicError(f"The folder {shown(Path(name).parent)} does not exist; create it first.")
        if Path(name).suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
            raise GlicError("Parquet needs pyarrow; install it with: pip install 'glic-pyg[parquet]'.")


def _pixel(text: str) -> tuple[int, int]:
    """``X,Y`` as row and column, for argparse."""
    numbers = text.split(",")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(f"'{text}' is no place: give X,Y in pixels")
    return int(numbers[1]), int(numbers[0])
