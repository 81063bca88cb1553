"""``glic compare``: our files beside JPEG and WebP at the same bytes, measured from real files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from glic_pyg.cli.compare_table import print_comparisons
from glic_pyg.cli.file_output import check_output, write_output
from glic_pyg.cli.options import add_coding_options, add_rate_options, choose_device, goal_of, set_threads
from glic_pyg.codec.errors import GlicError

if TYPE_CHECKING:
    from glic_pyg.codec.goal import Goal
    from glic_pyg.codec.image_codec import ImageCodec
    from glic_pyg.evaluation.comparison import Comparison

__all__ = ["main"]

_FIGURES = (".png", ".svg", ".pdf")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic compare",
        description="Encode pictures to real files, decode them again, and set PSNR and MS-SSIM beside those "
        "of JPEG (4:4:4, optimised, at least as many bytes) and WebP (method 6, nearest bytes).",
        epilog="Colour only: alpha and metadata are left out on all sides.",
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="pictures of any kind Pillow reads, or folders"
    )
    parser.add_argument("--model", metavar="NAME", help="name of shipped weights (glic doctor lists them)")
    add_rate_options(parser)
    add_coding_options(parser)
    parser.add_argument("--json", metavar="FILE", help="write all numbers as JSON")
    parser.add_argument("--csv", metavar="FILE", help="write a row for every image and codec")
    parser.add_argument(
        "--figure", metavar="FILE", help="draw our point beside curves of JPEG and WebP (.png, .svg, .pdf)"
    )
    parser.add_argument("--markdown", action="store_true", help="print tables for a Markdown page")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite files that exist")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command: 0, or 1 if an image failed or a file is not as large as the model predicts."""
    parser = _parser()
    args = parser.parse_args(argv)
    goal = goal_of(parser, args)
    for target in filter(None, (args.json, args.csv, args.figure)):
        check_output("", target, args.force)
    if args.figure and Path(args.figure).suffix not in _FIGURES:
        parser.error(f"{args.figure} should end in one of {', '.join(_FIGURES)}")

    from glic_pyg.codec.api import codec_for_encoding
    from glic_pyg.evaluation.provenance import provenance
    from glic_pyg.evaluation.summary import as_csv, as_json, broken_estimates

    set_threads(args.threads)
    device = choose_device(args.device)
    codec = codec_for_encoding(
        args.model, args.weights, device=device, precision=args.precision, max_pixels=args.max_pixels
    )
    images = _pictures(args.images)
    comparisons = _compare_all(codec, images, goal)
    if not comparisons:
        return 1
    how = provenance(["glic", "compare", *argv], device)
    print_comparisons(comparisons, how, markdown=args.markdown)
    if args.json:
        write_output(Path(args.json), as_json(comparisons, how).encode())
    if args.csv:
        write_output(Path(args.csv), as_csv(comparisons).encode())
    if args.figure:
        _draw(comparisons, images, Path(args.figure))
    return 0 if len(comparisons) == len(images) and not broken_estimates(comparisons) else 1


def _pictures(paths: Sequence[str]) -> list[str]:
    """Replace each folder by the pictures in it, in the order of their names.

    Raises:
        GlicError: a folder holds no pictures.
    """
    found: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            found.append(path)
            continue
        inside = sorted(str(p) for p in Path(path).iterdir() if p.suffix.lower() in _PICTURES)
        if not inside:
            raise GlicError(f"The folder {path} holds no pictures ({', '.join(_PICTURES)}).")
        found += inside
    return found


def _compare_all(codec: ImageCodec, paths: Sequence[str], goal: Goal | None) -> list[Comparison]:
    """Measure one image after the other; one that fails is named and the others go on."""
    from glic_pyg.codec.picture_file import read_picture
    from glic_pyg.evaluation.comparison import compare_image

    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    found = []
    with (
        TemporaryDirectory() as folder,
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("images", total=len(paths))
        for path in paths:
            bar.update(task, description=Path(path).name)
            try:
                picture = read_picture(path, max_pixels=codec.max_pixels)
                found.append(compare_image(codec, Path(path).stem, picture.colour, Path(folder), goal))
            except (GlicError, OSError) as error:
                console.print(f"glic compare: {path}: {error}")
            bar.advance(task)
    return found


def _draw(comparisons: Sequence[Comparison], paths: Sequence[str], target: Path) -> None:
    """Draw the means of the images that were measured."""
    from glic_pyg.codec.picture_file import read_picture
    from glic_pyg.evaluation import rate_distortion as rd
    from glic_pyg.evaluation.classical.pillow import JPEG, WEBP
    from glic_pyg.evaluation.summary import means

    measured = {comparison.image for comparison in comparisons}
    pictures = [read_picture(p).colour for p in paths if Path(p).stem in measured]
    print("drawing: JPEG and WebP at many qualities ...", file=sys.stderr)
    curves = {codec.title: rd.classical_curve(pictures, codec) for codec in (JPEG, WEBP)}
    mean = means(comparisons)[0]
    ours, title = rd.RatePoint(mean.bpp, mean.psnr), f"Mean of {len(pictures)} pictures"
    write_output(target, rd.rate_figure(curves, ours, title, kind=target.suffix.removeprefix(".")))
