"""The numbers of ``glic inspect`` as tables."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.stats import LONG, graph_stats, overlaps

__all__ = ["print_numbers", "print_overlaps"]


def print_numbers(seen: Inspection) -> None:
    """A line a graph, and what the columns mean."""
    psnr = f"{seen.psnr:.2f} dB" if math.isfinite(seen.psnr) else "lossless"
    print(f"{seen.name} by {seen.weights}: {seen.bpp:.4f} bpp estimated, {psnr}")
    if not seen.blocks:
        print("  This model builds no graphs.")
        return
    table = _table(
        "graph", "nodes", "edges", "degree", "of budget", "off by", "length", "long", "padding", "isolated",
        "out-degree", "mutual", "parts", "~ bits", "~ error",
    )  # fmt: skip
    for n in graph_stats(seen):
        table.add_row(
            f"{n.block} {n.kind}", f"{n.nodes:,}", f"{n.edges:,}", f"{n.degree:.1f}", f"{n.budget_met:.0%}",
            f"{n.budget_error:.0%}", f"{n.mean_length:.1f}", f"{n.long_share:.0%}", f"{n.padding_share:.1%}",
            f"{n.isolated:,}", f"{n.out_degree_quantile(0.05)}–{n.out_degree_quantile(0.95)}",
            f"{n.reciprocity:.0%}", f"{n.components:,}",
            f"{n.bits_correlation:+.2f}", f"{n.error_correlation:+.2f}",
        )  # fmt: skip
    _show(table)
    print(
        f"  off by: mean of |degree - target| / target; length in nodes; long: more than {LONG} nodes;\n"
        "  out-degree: 5th to 95th percentile; mutual: edges whose reverse is an edge (reciprocity);\n"
        "  parts: weakly connected components; ~: rank correlation of a node's degree with the bits and the\n"
        "  squared error around it"
    )


def print_overlaps(one: Inspection, other: Inspection) -> None:
    """Edges that two inspections have in common, a line a graph."""
    if [block.shape for block in one.blocks] != [block.shape for block in other.blocks]:
        print("  The two have graphs of different sizes: no edges to compare.")
        return
    table = _table("graph", "edges in common (Jaccard)", "nodes with all in common")
    for (block, kind), found in overlaps(one, other).items():
        whole = (found.common == found.either).mean()
        table.add_row(f"{block} {kind}", f"{found.jaccard:.1%}", f"{whole:.1%}")
    print(f"{one.name} by {one.weights} and {other.name} by {other.weights}:")
    _show(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _show(table: Table) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, 140 if not console.is_terminal else 0)
    console.print(table)
