"""Write docs/leaderboard.md, its figure and its page, from what is published and what was measured.

python -m studies.leaderboard
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.provenance import provenance
from studies.leaderboard.figure import complexity_figure
from studies.leaderboard.interactive import leaderboard_page
from studies.leaderboard.page import DATA, data_rows, efficiency_section, leaderboard_section
from studies.leaderboard.rows import leaderboard_rows, measured_curves, our_sizes
from studies.page import DOCS, make_command, write_data, write_image, write_section

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studies.leaderboard", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--docs",
        type=Path,
        default=DOCS,
        metavar="DIR",
        help="results.md and images/results-kodak.html are read there; leaderboard.md, images/ and data/ "
        "are written",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write everything; 0, or 1 with a sentence. It takes a minute and measures nothing."""
    docs = _parser().parse_args(argv).docs
    try:
        sizes = our_sizes(docs)
        rows = leaderboard_rows(measured_curves(docs), sizes)
        how = provenance(make_command("leaderboard", []))
        write_image(docs, "leaderboard.png", complexity_figure(rows, sizes))
        write_image(docs, "leaderboard.html", leaderboard_page(rows).encode())
        write_data(docs, "leaderboard.tsv", DATA, data_rows(rows))
        write_section(docs / "leaderboard.md", "leaderboard", leaderboard_section(rows, how))
        write_section(
            docs / "leaderboard.md", "leaderboard: efficiency", efficiency_section(rows, sizes, how)
        )
    except (GlicError, OSError) as error:
        print(f"leaderboard: {error}", file=sys.stderr)
        return 1
    return 0
