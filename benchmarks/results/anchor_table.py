"""Every curve against published points of VTM-9.1, as papers do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glic_pyg.evaluation.bjontegaard_delta import bd_psnr, bd_rate
from glic_pyg.evaluation.curve import Curve
from glic_pyg.evaluation.markdown_table import NOTHING, markdown_table
from glic_pyg.evaluation.standing import delta_or_none
from glic_pyg.evaluation.standing_tables import percent

__all__ = ["ANCHOR", "anchor_table"]

ANCHOR = "VTM-9.1"


def anchor_table(measured: Sequence[Curve], published: Mapping[str, Curve]) -> str:
    """Every curve against VTM-9.1's published points, the best first; measured ones in bold.

    Args:
        measured: curves of means over the same pictures as the published ones.
        published: by name.
    """
    curves = [(f"**{curve.name}**", "measured here", curve) for curve in measured]
    curves += [(name, "published", curve) for name, curve in published.items() if name != ANCHOR]
    found = [
        (
            delta_or_none(bd_rate, published[ANCHOR], curve),
            delta_or_none(bd_psnr, published[ANCHOR], curve),
            name,
            points,
        )
        for name, points, curve in curves
    ]
    found.sort(key=lambda row: (row[0] is None, row[0].value if row[0] else 0))
    header = ("codec", "points", "BD-rate, %", "overlap, %", "BD-PSNR, dB")
    rows = [
        (name, points, *percent(rate), NOTHING if gain is None else f"{gain.value:+.2f}")
        for rate, gain, name, points in found
    ]
    return markdown_table(header, rows, left=2)
