"""``glic rd``: published and measured rate-distortion curves, their Bjøntegaard deltas and figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from glic_pyg.evaluation.bjontegaard_delta import Method
    from glic_pyg.evaluation.curve import Curve

__all__ = ["main"]

_ANCHOR = "VTM-9.1"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic rd",
        description="Without a data set: the GLIC paper's headline numbers, from the published points. "
        "With one: every published codec against an anchor.",
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
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    args = _parser().parse_args(argv)
    if args.data_set is None:
        _print_headline(args.method)
        return 0

    from glic_pyg.evaluation.published import published_curves

    _print_deltas(list(published_curves(args.data_set).values()), args)
    return 0


def _print_headline(method: Method) -> None:
    from glic_pyg.evaluation.paper_claims import PAPER_CLAIMS, reproduced

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
    from glic_pyg.evaluation.bjontegaard_delta import bd_psnr, bd_rate

    anchor = _anchor(curves, args.anchor)
    title = f"{args.data_set}: against {anchor.name} in {args.metric} ({args.method})"
    table = _table(
        title, "codec", "BD-rate", "overlap", "BD-PSNR" if args.metric == "psnr" else "gain", "source"
    )
    how = {"metric": args.metric, "method": args.method}
    for curve in curves:
        if curve is anchor or (args.metric == "ms-ssim" and curve.ms_ssim is None):
            continue
        rate, gain = bd_rate(anchor, curve, **how), bd_psnr(anchor, curve, **how)
        figures = (f"{rate.value:+.2f} %", f"{rate.overlap:.0%}", f"{gain.value:+.3f} dB")
        table.add_row(curve.name, *figures, curve.source)
    _show(table)


def _anchor(curves: Sequence[Curve], wanted: str | None) -> Curve:
    """The curve to compare with: the one asked for, else VTM-9.1, else the first.

    Raises:
        CurveError: no curve has the name that was asked for.
    """
    from glic_pyg.evaluation.curve import CurveError

    by_name = {curve.name: curve for curve in curves}
    if wanted is None:
        return by_name.get(_ANCHOR, curves[0])
    if wanted not in by_name:
        raise CurveError(f"There is no curve '{wanted}'; there are {', '.join(by_name)}.")
    return by_name[wanted]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column == "source" else "right")
    return table


def _show(table: Table) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, 140 if not console.is_terminal else 0)
    console.print(table)
