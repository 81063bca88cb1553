"""The interactive page (``leaderboard.html``): the figure to point at, and a table to sort by any column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.published import ANCHORS, PublishedCurve
from studies.leaderboard.field import stated
from studies.leaderboard.rows import SETS, Row

__all__ = ["leaderboard_page"]

_TEMPLATE = Path(__file__).parent / "leaderboard.html"


def leaderboard_page(rows: Sequence[Row]) -> str:
    """One HTML file that loads nothing.

    Args:
        rows: of the leaderboard.
    """
    data = {"anchors": {name: ANCHORS[name] for name in SETS}, "rows": [_row(row) for row in rows]}
    # "<" cannot end the script that holds the data.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", text)


def _row(row: Row) -> dict[str, Any]:
    theirs = next((entry for entry in stated() if entry.codec == row.name and not row.measured), None)
    return {
        "name": row.name,
        "measured": row.measured,
        "deltas": {
            data_set: [found and [round(found.value, 2), round(100 * found.overlap)] for found in deltas]
            for data_set, deltas in row.deltas.items()
        },
        "cost": row.cost and [round(row.cost.low, 1), round(row.cost.high, 1)],
        "whole": bool(row.cost and row.cost.whole),
        "counted": row.cost_counted,
        "costSource": "; ".join(row.cost.sources) if row.cost else "",
        "curves": {data_set: _curve(curve) for data_set, curve in row.curves.items()},
        "stated": f"{theirs.bd_rate['kodak']:+.2f} against {theirs.anchor}" if theirs else "",
    }


def _curve(curve: Curve) -> dict[str, str]:
    if not isinstance(curve, PublishedCurve):
        return {"source": curve.source}
    return {"source": curve.source, "licence": curve.licence, "note": curve.note}
