"""``glic rd``: published and measured rate-distortion curves, their Bjøntegaard deltas and figures."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from glic_pyg.cli.paths import check_output
from glic_pyg.files import write_file

if TYPE_CHECKING:
    from glic_pyg.evaluation.bd_rate import Method
    from glic_pyg.evaluation.curves import Curve

__all__ = ["main", "make_parser"]


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic rd",
        description="Without a data set: the GLIC paper's headline numbers, from the published points. "
        "With one, or with results of glic test: every codec against the anchors.",
        epilog="overlap: the part of what either curve covers that both cover; a delta speaks for it. "
        "The same codec has another BD-rate against another anchor: compare within a column only.",
    )
    parser.add_argument(
        "data_set", nargs="*", metavar="SET", help="kodak, tecnick, ... (a wrong one lists all)"
    )
    parser.add_argument(
        "--anchor",
        action="append",
        metavar="NAME",
        help="codec to compare with; again for a second (default: VTM-9.1, and VTM-18.0 or on CLIC VTM-17.0)",
    )
    parser.add_argument(
        "--codec", action="append", metavar="NAME", help="list and draw this published one; again for more"
    )
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
    from glic_pyg.evaluation.published import one_set

    args = make_parser().parse_args(argv)
    args.data_set = one_set(args.data_set)
    if args.data_set is None and not args.results:
        _print_headline(args.method)
        return 0
    targets = _targets(args)
    curves = _curves(args)
    anchors = _anchors(curves, args)
    if args.codec:
        curves = _chosen(curves, [*args.codec, *(anchor.name for anchor in anchors)], args)
    _print_deltas(curves, anchors, args)
    if targets:
        _draw(curves, anchors, args, targets)
    return 0


def _curves(args: argparse.Namespace) -> list[Curve]:
    """Measured curves, then published ones."""
    from glic_pyg.evaluation.curves import read_curves
    from glic_pyg.evaluation.published import published_curves

    measured = [curve for path in args.results for curve in read_curves(Path(path), args.data_set)]
    published = published_curves(args.data_set).values() if args.data_set else ()
    return [*measured, *published]


def _chosen(curves: Sequence[Curve], names: Sequence[str], args: argparse.Namespace) -> list[Curve]:
    """The measured curves, and the published ones of these names.

    Raises:
        CurveError: there is none of a name.
    """
    from glic_pyg.evaluation.published import PublishedCurve, no_curve

    known = [curve.name for curve in curves]
    for name in names:
        if name not in known:
            raise no_curve(name, args.data_set, known)
    return [curve for curve in curves if curve.name in names or not isinstance(curve, PublishedCurve)]


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


def _draw(
    curves: Sequence[Curve], anchors: Sequence[Curve], args: argparse.Namespace, targets: Sequence[Path]
) -> None:
    """Draw the measured, named or well-known curves; the page has the others too, hidden at first."""
    from glic_pyg.evaluation.curve_plots import curves_figure, curves_page
    from glic_pyg.evaluation.published import WELL_KNOWN, PublishedCurve

    title = args.data_set or "Rate and distortion"
    shown = [
        curve
        for curve in curves
        if args.codec or not isinstance(curve, PublishedCurve) or curve in anchors or curve.name in WELL_KNOWN
    ]
    for target in targets:
        kind = target.suffix.removeprefix(".")
        if kind == "html":
            made: str | bytes = curves_page(curves, title, shown={curve.name for curve in shown})
        else:
            made = curves_figure(shown, args.metric, title, right=args.right, kind=kind)
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


def _print_deltas(curves: Sequence[Curve], anchors: Sequence[Curve], args: argparse.Namespace) -> None:
    """Every curve against every anchor, the best first, and who made the anchors."""
    from glic_pyg.evaluation.bd_rate import bd_psnr, bd_rate
    from glic_pyg.evaluation.curves import CurveError

    where = f"{args.data_set}: " if args.data_set else ""
    title = f"{where}against {' and '.join(a.name for a in anchors)} in {args.metric} ({args.method})"
    rates = [column for anchor in anchors for column in (f"BD-rate, {anchor.name}", "overlap")]
    gain = "BD-PSNR" if args.metric == "psnr" else "gain"
    table = _table(title, "codec", *rates, f"{gain}, {anchors[0].name}", "source")
    how = {"metric": args.metric, "method": args.method}
    found: list[tuple[float, tuple[str, ...]]] = []
    moved: list[float] = []
    for curve in curves:
        if (len(anchors) == 1 and curve is anchors[0]) or (
            args.metric == "ms-ssim" and curve.ms_ssim is None
        ):
            continue
        cells, decibels, source, values = [], "–", curve.source, list[float]()
        for anchor in anchors:
            try:
                rate, psnr = bd_rate(anchor, curve, **how), bd_psnr(anchor, curve, **how)
            except CurveError as error:
                source = f"{error} ({curve.source})"
                cells += ["–", "–"]
                values.append(math.inf)
                continue
            if anchor is anchors[0]:
                decibels = f"{psnr.value:+.3f} dB"
            cells += [f"{rate.value:+.2f} %", f"{rate.overlap:.0%}"]
            values.append(rate.value)
        found.append((values[0], (curve.name, *cells, decibels, source)))
        if curve not in anchors and max(values) < math.inf:
            moved.append(values[-1] - values[0])
    for _, row in sorted(found, key=lambda entry: entry[0]):
        table.add_row(*row)
    _show(table)
    _print_anchors(anchors, moved)


def _print_anchors(anchors: Sequence[Curve], moved: Sequence[float]) -> None:
    """Say whose runs the anchors are and how far a codec moves between the first and the last."""
    from glic_pyg.evaluation.published import PublishedCurve

    for anchor in anchors:
        if isinstance(anchor, PublishedCurve):
            print(f"{anchor.name}: {anchor.note or anchor.source}.")
    if len(anchors) > 1 and moved:
        print(
            f"The same codec reads {median(moved):+.1f} points against {anchors[-1].name} compared with "
            f"{anchors[0].name} (median; {min(moved):+.1f} to {max(moved):+.1f}): "
            "compare within a column only."
        )


def _anchors(curves: Sequence[Curve], args: argparse.Namespace) -> list[Curve]:
    """The curves to compare with: those asked for, else the data set's, else the first that has points.

    Raises:
        CurveError: no curve has the name that was asked for.
    """
    from glic_pyg.evaluation.published import ANCHORS, no_curve

    by_name = {curve.name: curve for curve in curves}
    if args.anchor is None:
        usual = [by_name[name] for name in ANCHORS.get(args.data_set, ())]
        usual = [curve for curve in usual if args.metric == "psnr" or curve.ms_ssim is not None]
        return usual or [next((curve for curve in curves if curve.bpp), curves[0])]
    for name in args.anchor:
        if name not in by_name:
            raise no_curve(name, args.data_set, list(by_name))
    return [by_name[name] for name in dict.fromkeys(args.anchor)]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column == "source" else "right")
    return table


def _show(table: Table) -> None:
    console = Console(highlight=False, markup=False, emoji=False)  # names are shown as they are
    console.width = max(console.width, 180 if not console.is_terminal else 0)
    console.print(table)
