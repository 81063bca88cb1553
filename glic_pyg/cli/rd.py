"""``glic rd``: published and measured rate-distortion curves, their Bjøntegaard deltas and figures."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from glic_pyg.cli.paths import check_output
from glic_pyg.files import write_file

if TYPE_CHECKING:
    from glic_pyg.evaluation.bd_rate import Method
    from glic_pyg.evaluation.curves import Curve

__all__ = ["main"]

_ANCHOR = "VTM-9.1"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic rd",
        description="Without a data set: the GLIC paper's headline numbers, from the published points. "
        "With one, or with results of glic test: every codec against an anchor.",
        epilog="overlap: the part of what either curve covers that both cover; a delta speaks for it.",
    )
    parser.add_argument(
        "data_set", nargs="?", metavar="SET", help="kodak, tecnick, ... (a wrong one lists all)"
    )
    parser.add_argument("--anchor", metavar="NAME", help=f"codec to compare with (default: {_ANCHOR})")
    parser.add_argument("--metric", choices=("psnr", "ms-ssim"), default="psnr", help="default: psnr")
    parser.add_argument(
        "--method",
        choices=("akima", "cubic", "pchip"),
        default="akima",
        help="interpolation (default: akima)",
    )
    parser.add_argument(
        "--results", action="append", default=[], metavar="FILE", help="add the curves of a results.json"
    )
    parser.add_argument("-o", "--output-dir", metavar="DIR", help="draw the curves there: PNG, SVG and HTML")
    parser.add_argument(
        "--right", type=_rate, default=1.5, metavar="BPP", help="where PNG and SVG end (default: 1.5)"
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite files that exist")
    return parser


def _rate(text: str) -> float:
    """Bits per pixel, for argparse."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no rate above 0")
    return value


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    args = _parser().parse_args(argv)
    if args.data_set is None and not args.results:
        _print_headline(args.method)
        return 0
    targets = _targets(args)
    curves = _curves(args)
    _print_deltas(curves, args)
    if targets:
        _draw(curves, args, targets)
    return 0


def _curves(args: argparse.Namespace) -> list[Curve]:
    """Measured curves, then published ones."""
    from glic_pyg.evaluation.curves import read_curves
    from glic_pyg.evaluation.published import published_curves

    measured = [curve for path in args.results for curve in read_curves(Path(path), args.data_set)]
    published = published_curves(args.data_set).values() if args.data_set else ()
    return [*measured, *published]


def _targets(args: argparse.Namespace) -> list[Path]:
    """Files to draw, found free before the work; none if nothing is to be drawn."""
    if args.output_dir is None:
        return []
    folder = Path(args.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join(part for part in ("rd", args.data_set, args.metric) if part)
    targets = [folder / f"{name}.{kind}" for kind in ("png", "svg", "html")]
    for target in targets:
        check_output(target, force=args.force)
    return targets


def _draw(curves: Sequence[Curve], args: argparse.Namespace, targets: Sequence[Path]) -> None:
    from glic_pyg.evaluation.curve_plots import curves_figure, curves_page

    title = args.data_set or "Rate and distortion"
    for target in targets:
        kind = target.suffix.removeprefix(".")
        if kind == "html":
            made: str | bytes = curves_page(curves, title)
        else:
            made = curves_figure(curves, args.metric, title, right=args.right, kind=kind)
        write_file(target, made, overwrite=args.force)
        print(f"  {target}")


def _print_headline(method: Method) -> None:
    from glic_pyg.evaluation.published import PAPER_CLAIMS, reproduced

    table = _table(
        f"GLIC, from the published points ({method})", "data set", "against", "overlap", "here", "paper"
    )
    for claim in PAPER_CLAIMS:
        got, unit = reproduced(claim, method), "%" if claim.kind == "BD-rate" else "dB"
        digits = 2 if unit == "%" else 3
        table.add_row(
            claim.data_set,
            f"{claim.anchor}, {claim.kind}",
            f"{got.overlap:.0%}",
            f"{got.value:+.{digits}f} {unit}",
            f"{claim.stated:+.2f} {unit}",
        )
    _show(table)


def _print_deltas(curves: Sequence[Curve], args: argparse.Namespace) -> None:
    from glic_pyg.evaluation.bd_rate import bd_psnr, bd_rate
    from glic_pyg.evaluation.curves import CurveError

    anchor = _anchor(curves, args.anchor)
    where = f"{args.data_set}: " if args.data_set else ""
    title = f"{where}against {anchor.name} in {args.metric} ({args.method})"
    table = _table(
        title, "codec", "BD-rate", "overlap", "BD-PSNR" if args.metric == "psnr" else "gain", "source"
    )
    how = {"metric": args.metric, "method": args.method}
    for curve in curves:
        if curve is anchor or (args.metric == "ms-ssim" and curve.ms_ssim is None):
            continue
        try:
            rate, gain = bd_rate(anchor, curve, **how), bd_psnr(anchor, curve, **how)
        except CurveError as error:
            table.add_row(curve.name, "–", "–", "–", f"{error} ({curve.source})")
            continue
        figures = (f"{rate.value:+.2f} %", f"{rate.overlap:.0%}", f"{gain.value:+.3f} dB")
        table.add_row(curve.name, *figures, curve.source)
    _show(table)


def _anchor(curves: Sequence[Curve], wanted: str | None) -> Curve:
    """The curve to compare with: the one asked for, else VTM-9.1, else the first that has points.

    Raises:
        CurveError: no curve has the name that was asked for.
    """
    from glic_pyg.evaluation.curves import CurveError

    by_name = {curve.name: curve for curve in curves}
    if wanted is None:
        return by_name.get(_ANCHOR, next((curve for curve in curves if curve.bpp), curves[0]))
    if wanted not in by_name:
        raise CurveError(f"There is no curve '{wanted}'; there are {', '.join(by_name)}.")
    return by_name[wanted]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column == "source" else "right")
    return table


def _show(table: Table) -> None:
    console = Console(highlight=False, markup=False, emoji=False)  # names are shown as they are
    console.width = max(console.width, 140 if not console.is_terminal else 0)
    console.print(table)
