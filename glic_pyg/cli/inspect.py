"""``glic inspect``: the graphs that a model builds for an image, as a page, figures, numbers or data."""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glic_pyg.cli.console import naming, say, shown
from glic_pyg.cli.options import add_coding_options, choose_device, set_threads
from glic_pyg.cli.paths import check_output
from glic_pyg.errors import GlicError
from glic_pyg.files import publish, staging_folder, write_file

if TYPE_CHECKING:
    from glic_pyg.codec.image_codec import ImageCodec, Precision
    from glic_pyg.inspection.fields import ReceptiveFields
    from glic_pyg.inspection.figures import Pixel
    from glic_pyg.inspection.inspect import Inspection

__all__ = ["FIELD_COUNT", "Subject", "grid_of_fields", "main", "make_parser", "print_numbers"]

FIELD_COUNT = 12
"""Receptive fields of a page."""
FIELD_PIXELS = 2**20
"""Gradients keep what g_a computed in memory; larger images get no receptive fields."""
_FIGURE_KINDS = ("png", "svg", "pdf")
_WEIGHTS = (".safetensors", ".pth.tar", ".pth", ".pt", ".ckpt")


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic inspect",
        description="Look at the graphs that a model builds for an image: who reads from whom, where its "
        "bits go and where its error stays. Without an output the numbers are printed.",
        epilog="An export ends in .npz (NumPy), .pt (PyG), .graphml, .parquet or .json (the numbers).",
    )
    parser.add_argument("image", metavar="IMAGE", help="of any kind Pillow reads")
    parser.add_argument("-o", "--output", metavar="PAGE", help="write one HTML page to explore the graphs in")
    parser.add_argument("--figures", metavar="DIR", help="write figures for a paper: PNG, SVG and PDF")
    parser.add_argument("--numbers", action="store_true", help="print the numbers of every graph")
    parser.add_argument(
        "--export", action="append", default=[], metavar="FILE", help="write the graphs; see below"
    )
    parser.add_argument(
        "--against",
        metavar="SECOND",
        help="a second image, a weights file, the name of shipped weights, or bf16: set beside the first",
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        type=_pixel,
        metavar="X,Y",
        help="a pixel for the figures to show",
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
    args = make_parser().parse_args(argv)
    _check_arguments(args)

    set_threads(args.threads)
    args.device = choose_device(args.device)
    both = f" and {shown(args.against)}" if args.against else ""
    say(f"inspect: looking at {shown(args.image)}{both} ...")
    first, *second = subjects_of(args)
    for name in args.export:
        export(first.seen, Path(name), source=args.image, force=args.force)
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
        check_output(args.output, force=args.force, sources=[args.image])
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
        raise argparse.ArgumentTypeError(f"'{text}' is no pixel: give X,Y")
    return int(numbers[1]), int(numbers[0])


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and what it does with one image."""

    model: Any
    seen: Inspection


def subjects_of(args: argparse.Namespace) -> Iterator[Subject]:
    """The first subject; after it the second, if one was asked for.

    Raises:
        GlicError: an image or weights cannot be used.
    """
    from glic_pyg.codec.api import codec_for_encoding
    from glic_pyg.codec.weights_store import shipped_names

    codec = codec_for_encoding(
        args.model, args.weights, device=args.device, precision=args.precision, max_pixels=args.max_pixels
    )
    yield _subject(args, args.image, codec, args.precision)
    second = args.against
    if second == "bf16":
        yield _subject(args, args.image, codec, "bf16")
    elif second is not None and (_is_weights(second) or second in shipped_names()):
        name, path = (None, second) if _is_weights(second) else (second, None)
        other = codec_for_encoding(
            name, path, device=args.device, precision=args.precision, max_pixels=args.max_pixels
        )
        yield _subject(args, args.image, other, args.precision)
    elif second is not None:
        yield _subject(args, second, codec, args.precision)


def _is_weights(path: str) -> bool:
    """Whether a path is that of weights, by its name, or the folder of a run; else it is an image."""
    return path.endswith(_WEIGHTS) or Path(path).is_dir()


def _subject(args: argparse.Namespace, path: str, codec: ImageCodec, precision: Precision) -> Subject:
    from glic_pyg.codec.image_file import read_image
    from glic_pyg.inspection.inspect import inspect_image

    with naming(path):
        image_data = read_image(path, max_pixels=args.max_pixels)
        seen = inspect_image(
            codec.model,
            image_data.colour,
            name=shown(Path(path).name),
            weights=codec.name if precision == "float32" else f"{codec.name}, {precision}",
            quality=args.quality,
            precision=precision,
        )
    return Subject(codec.model, seen)


def print_numbers(seen: Inspection) -> None:
    """Print one line per graph, and what the columns mean."""
    from glic_pyg.evaluation.tables import print_table
    from glic_pyg.inspection.stats import LONG, graph_stats

    psnr = f"{seen.psnr:.2f} dB" if math.isfinite(seen.psnr) else "lossless"
    print(f"{seen.name} by {seen.weights}: {seen.bpp:.4f} bpp estimated, {psnr}")
    if not seen.blocks:
        print("  This model builds no graphs.")
        return
    header = (
        "graph", "nodes", "edges", "degree", "of budget", "off by", "length", "long", "padding", "isolated",
        "out-degree", "mutual", "parts", "~ bits", "~ error",
    )  # fmt: skip
    rows = [
        (
            f"{n.block} {n.kind}",
            f"{n.nodes:,}",
            f"{n.edges:,}",
            f"{n.degree:.1f}",
            f"{n.budget_met:.0%}",
            f"{n.budget_error:.0%}",
            f"{n.mean_length:.1f}",
            f"{n.long_share:.0%}",
            f"{n.padding_share:.1%}",
            f"{n.isolated:,}",
            f"{n.out_degree_quantile(0.05)}–{n.out_degree_quantile(0.95)}",
            f"{n.reciprocity:.0%}",
            f"{n.components:,}",
            f"{n.bits_correlation:+.2f}",
            f"{n.error_correlation:+.2f}",
        )
        for n in graph_stats(seen)
    ]
    print_table(header, rows)
    print(
        f"  off by: mean of |degree - target| / target; length in nodes; long: more than {LONG} nodes;\n"
        "  out-degree: 5th to 95th percentile; mutual: edges whose reverse is an edge (reciprocity);\n"
        "  parts: weakly connected components; ~: rank correlation of a node's degree with the bits and the\n"
        "  squared error around it"
    )


def print_overlaps(one: Inspection, other: Inspection) -> None:
    """Print how many edges two inspections share, one line per graph."""
    from glic_pyg.evaluation.tables import print_table
    from glic_pyg.inspection.stats import overlaps

    if [block.shape for block in one.blocks] != [block.shape for block in other.blocks]:
        print("  The two have graphs of different sizes: no edges to compare.")
        return
    rows = [
        (f"{block} {kind}", f"{found.jaccard:.1%}", f"{(found.common == found.either).mean():.1%}")
        for (block, kind), found in overlaps(one, other).items()
    ]
    print(f"{one.name} by {one.weights} and {other.name} by {other.weights}:")
    print_table(("graph", "edges in common (Jaccard)", "nodes with all in common"), rows)


def export(seen: Inspection, path: Path, *, source: str, force: bool) -> None:
    """Write one export, each of its files atomically.

    Args:
        seen: what to export.
        path: one of :data:`EXPORT_SUFFIXES` at its end says how.
        source: the image, which is never overwritten.
        force: overwrite files that exist.

    Raises:
        GlicError: a file is there and ``force`` is off.
    """
    from glic_pyg.inspection.export_files import export_files, graphml_sizes

    writers = export_files(seen, path)
    for target in writers:
        check_output(target, force=force, sources=[source])
    if sizes := graphml_sizes(seen, path):
        total = f"{len(sizes)} GraphML files, about {sum(sizes.values()) / 1e6:,.0f} MB"
        print(f"inspect: writing {total} ...", file=sys.stderr, flush=True)
    with staging_folder(path.parent) as folder:
        for target, write in writers.items():
            write(folder / target.name)
            publish(folder / target.name, target, overwrite=force)
            print(f"  {shown(target)}")


def write_html(subjects: Sequence[Subject], path: Path, field_count: int) -> None:
    """Write the page of one or two subjects.

    Raises:
        GlicError: a model builds no graphs.
    """
    from glic_pyg.inspection.page import write_page

    for subject in subjects:
        if not subject.seen.blocks:
            raise GlicError(
                f"{subject.seen.weights} builds no graphs, so there is nothing for a page to show."
            )
    first, *rest = subjects
    fields = [grid_of_fields(subject, field_count) for subject in subjects]
    write_page(
        first.seen,
        path,
        fields=fields[0],
        second=rest[0].seen if rest else None,
        second_fields=fields[1] if rest else None,
    )
    print(f"  {shown(path)}  {path.stat().st_size / 1e6:.1f} MB")


def write_figures(subject: Subject, pixels: Sequence[Pixel], folder: Path, *, force: bool) -> None:
    """Write every figure there is for a subject, as PNG, SVG and PDF.

    Args:
        subject: what was seen.
        pixels: rows and columns to show; none stands for three example nodes.
        folder: where to write; made if it is not there.
        force: overwrite files that exist.

    Raises:
        GlicError: a pixel lies outside the image, or a file is there and ``force`` is off.
    """
    seen, (height, width) = subject.seen, subject.seen.size
    for row, column in pixels:
        if row >= height or column >= width:
            raise GlicError(f"The pixel {column},{row} is not in an image of {width} x {height} pixels.")
    folder.mkdir(parents=True, exist_ok=True)
    targets = {
        folder / f"{Path(seen.name).stem}.{name}.{kind}": partial(make, kind=kind)
        for name, make in _figures(subject, pixels).items()
        for kind in _FIGURE_KINDS
    }
    for target in targets:
        check_output(target, force=force)
    for target, make in targets.items():
        write_file(target, make(), overwrite=force)
        print(f"  {shown(target)}")


def _figures(subject: Subject, pixels: Sequence[Pixel]) -> dict[str, Callable[..., bytes]]:
    """What makes each figure, given the kind of file; nothing is computed before."""
    from glic_pyg.inspection import figures as draw

    seen = subject.seen
    figures: dict[str, Callable[..., bytes]] = {"bits_and_error": partial(draw.bits_and_error_figure, seen)}
    middle = (seen.size[0] // 2, seen.size[1] // 2)
    chosen = list(pixels) or (draw.example_pixels(seen) if seen.blocks else [middle])
    if seen.blocks:
        figures["degrees"] = partial(draw.degree_figure, seen)
        figures["neighbourhoods"] = partial(draw.neighbourhood_figure, seen, chosen)
    if small_enough(seen):
        fields = cache(partial(fields_of_training, subject, chosen))
        figures["receptive_fields"] = lambda kind: draw.field_figure(fields(), kind)
    return figures


def grid_of_fields(subject: Subject, count: int) -> ReceptiveFields | None:
    """About ``count`` fields spread over the image; None for a count of 0 or an image that is too large."""
    from glic_pyg.inspection.fields import latent_grid, receptive_fields

    if count < 1 or not small_enough(subject.seen):
        return None
    return receptive_fields(subject.model, subject.seen.image, latent_grid(*subject.seen.size, count))


def fields_of_training(subject: Subject, pixels: Sequence[Pixel]) -> dict[str, ReceptiveFields]:
    """Receptive fields at some rows and columns of the image, of fresh weights and of the trained ones."""
    import torch

    from glic_pyg.inspection.fields import receptive_fields
    from glic_pyg.models.base import LATENT_STRIDE
    from glic_pyg.models.registry import architecture_name, build

    model, places = subject.model, [(row // LATENT_STRIDE, column // LATENT_STRIDE) for row, column in pixels]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untrained = build(architecture_name(model), model.config).eval().to(next(model.parameters()).device)
    return {
        title: receptive_fields(each, subject.seen.image, places)
        for title, each in (("untrained", untrained), ("trained", model))
    }


def small_enough(seen: Inspection) -> bool:
    """Whether gradients fit into memory; where they do not, a line on stderr says so."""
    small = seen.size[0] * seen.size[1] <= FIELD_PIXELS
    if not small:
        say(f"glic: {seen.name} is too large for receptive fields; left out.")
    return small
