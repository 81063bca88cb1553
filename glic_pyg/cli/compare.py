"""``glic compare``: our files beside JPEG and WebP at the same bytes, measured from real files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from glic_pyg.cli.console import FileBatch, say, shown
from glic_pyg.cli.options import add_coding_options, add_rate_options, choose_device, set_threads, target_of
from glic_pyg.cli.paths import check_ending, check_output, expand_folders, titles
from glic_pyg.files import write_file

if TYPE_CHECKING:
    from glic_pyg.codec.image_codec import ImageCodec
    from glic_pyg.codec.rate_control import RateTarget
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.measure import Measurement
    from glic_pyg.evaluation.provenance import Provenance

    Measured = tuple[str, Comparison]  # an image's path before what was measured of it

__all__ = ["main", "make_parser", "print_comparisons"]

_HEADER = (
    "image", "codec", "bytes", "bpp", "PSNR, dB", "ours by, dB",
    "MS-SSIM", "MS-SSIM, dB", "encode, s", "decode, s",
)  # fmt: skip
Row = tuple[str, ...]
_FIGURES = (".png", ".svg", ".pdf")


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic compare",
        description="Encode images to real files, decode them again, and set PSNR and MS-SSIM beside those "
        "of JPEG (4:4:4, optimised, at least as many bytes) and WebP (method 6, nearest bytes).",
        epilog="Colour only: alpha and metadata are left out on all sides.",
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="images of any kind Pillow reads, or folders"
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
    parser = make_parser()
    args = parser.parse_args(argv)
    target = target_of(parser, args)
    from glic_pyg.data.image_file import SUFFIXES

    images = expand_folders("compare", args.images, SUFFIXES)
    for output, endings in ((args.json, (".json",)), (args.csv, (".csv",)), (args.figure, _FIGURES)):
        if output:
            check_ending(parser, output, endings)
            check_output(output, force=args.force, sources=images)

    from glic_pyg.codec.api import codec_for_encoding
    from glic_pyg.evaluation.provenance import provenance
    from glic_pyg.evaluation.summary import as_csv, as_json, broken_estimates

    set_threads(args.threads)
    device = choose_device(args.device)
    codec = codec_for_encoding(
        args.model, args.weights, device=device, precision=args.precision, max_pixels=args.max_pixels
    )
    measured = _compare_all(codec, images, target, args.max_pixels)
    if not measured:
        return 1
    comparisons = [comparison for _, comparison in measured]
    how = provenance(["glic", "compare", *argv], device)
    if args.json:
        write_file(args.json, as_json(comparisons, how), overwrite=args.force)
    if args.csv:
        write_file(args.csv, as_csv(comparisons), overwrite=args.force)
    print_comparisons(comparisons, how, markdown=args.markdown)
    if args.figure:
        _draw(measured, args.max_pixels, Path(args.figure), args.force)
    return 0 if len(comparisons) == len(images) and not broken_estimates(comparisons) else 1


def _compare_all(
    codec: ImageCodec, paths: Sequence[str], target: RateTarget | None, max_pixels: int
) -> list[Measured]:
    """Measure one image after the other; one that fails is named and the others go on."""
    from glic_pyg.codec.image_file import read_image
    from glic_pyg.evaluation.comparison import compare_image

    found: list[Measured] = []
    with TemporaryDirectory() as folder, FileBatch("compare", len(paths)) as batch:
        for path, title in zip(paths, titles([Path(path) for path in paths]), strict=True):
            with batch.file(path):
                image_data = read_image(path, max_pixels=max_pixels)
                for note in image_data.pixel_notes:
                    batch.say(f"glic compare: {shown(path)}: {note}")
                found.append((path, compare_image(codec, title, image_data.colour, Path(folder), target)))
    return found


def _draw(measured: Sequence[Measured], max_pixels: int, target: Path, force: bool) -> None:
    """Draw the means of the images that were measured and have an error."""
    from glic_pyg.codec.image_file import read_image
    from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP
    from glic_pyg.evaluation.curve_plots import baseline_curve, rate_point_figure
    from glic_pyg.evaluation.summary import comparable, means

    drawn = comparable([comparison for _, comparison in measured])
    images = [
        read_image(path, max_pixels=max_pixels).colour for path, comparison in measured if comparison in drawn
    ]
    say("drawing: JPEG and WebP at many qualities ...")
    curves = [baseline_curve(images, codec) for codec in (JPEG, WEBP)]
    mean, title = means(drawn)[0], f"Mean of {len(images)} images"
    figure = rate_point_figure(curves, mean.bpp, mean.psnr, title, kind=target.suffix.removeprefix("."))
    write_file(target, figure, overwrite=force)


def print_comparisons(comparisons: Sequence[Comparison], how: Provenance, *, markdown: bool = False) -> None:
    """Print every image and the mean, whether files are as large as predicted, and how it was measured.

    Args:
        comparisons: at least one.
        how: printed below.
        markdown: a Markdown table of the same cells.
    """
    from glic_pyg.evaluation.tables import print_table

    groups = [_rows(c.image, c.codecs) for c in comparisons]
    if len(comparisons) > 1:
        groups.append(_mean_rows(comparisons))
    starts = list(accumulate((len(rows) for rows in groups[:-1]), initial=0))
    rows = [row for group in groups for row in group]
    print_table(_HEADER, rows, markdown=markdown, left=2, groups=starts)
    if markdown:
        print()
    print(_estimates(comparisons))
    print(how)


def _rows(image: str, codecs: Sequence[Measurement]) -> list[Row]:
    from glic_pyg.evaluation.tables import number_cell

    ours = codecs[0].quality.psnr
    return [
        (
            image if m is codecs[0] else "",
            f"{m.codec} ({m.setting})",
            f"{m.size:,}",
            f"{m.bpp:.4f}",
            number_cell(m.quality.psnr, ".3f"),
            "" if m is codecs[0] else number_cell(ours - m.quality.psnr, "+.3f"),
            number_cell(m.quality.ms_ssim, ".5f"),
            number_cell(m.quality.ms_ssim_db, ".3f"),
            f"{m.encode_seconds:.2f}",
            f"{m.decode_seconds:.2f}",
        )
        for m in codecs
    ]


def _mean_rows(comparisons: Sequence[Comparison]) -> list[Row]:
    from glic_pyg.evaluation.summary import comparable, means
    from glic_pyg.evaluation.tables import mean_cell, number_cell

    compared = means(comparable(comparisons))  # a gain is over the same images on both sides
    return [
        (
            "" if place else f"mean of {len(comparisons)}",
            mean.codec,
            f"{mean.size:,.0f}",
            f"{mean.bpp:.4f}",
            mean_cell(mean.psnr, ".3f", mean.psnr_images, mean.images),
            number_cell(compared[0].psnr - compared[place].psnr, "+.3f") if place else "",
            mean_cell(mean.ms_ssim, ".5f", mean.ms_ssim_images, mean.images),
            mean_cell(mean.ms_ssim_db, ".3f", mean.ms_ssim_db_images, mean.images),
            f"{mean.encode_seconds:.2f}",
            f"{mean.decode_seconds:.2f}",
        )
        for place, mean in enumerate(means(comparisons))
    ]


def _estimates(comparisons: Sequence[Comparison]) -> str:
    """One line: real bytes against what the likelihoods predict."""
    from glic_pyg.evaluation.summary import broken_estimates

    off = {c.image: c.ours.size - c.estimated_bits / 8 for c in comparisons if c.estimated_bits is not None}
    if not off:
        return "estimated bits: this codec makes no estimate"
    broken = broken_estimates(comparisons)
    worst = max(off, key=lambda image: abs(off[image]))
    verdict = f"NOT on {', '.join(broken)}" if broken else f"on all {len(off)} images"
    return (
        f"real bytes within 1 % + 64 bytes of the estimate: {verdict} "
        f"(largest difference {off[worst]:+.0f} bytes, {worst})"
    )
