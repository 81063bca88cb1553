"""A sweep over λ in which every job starts from the weights of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glic_pyg.cli.job_record import read_record
from glic_pyg.cli.run_folder import RunFolderError
from glic_pyg.cli.sweep_table import find_sweep, sweep_rows
from glic_pyg.cli.trained_weights import find_weights

__all__ = ["NEIGHBOUR", "neighbour_weights"]

NEIGHBOUR = "neighbour"
"""Value of ``start_from`` that asks for this."""

_KEY = "loss.lmbda="


def neighbour_weights(folder: Path) -> Path | None:
    """The weights of the job with the λ before this one's, all else being equal.

    Args:
        folder: of this job.

    Returns:
        A weights file; None for the first job of a chain.

    Raises:
        RunFolderError: this is no job of a sweep over λ, or the one before has not finished.
    """
    sweep, record = find_sweep(folder), read_record(folder)
    if sweep is None or record is None or not any(o.startswith(_KEY) for o in record.overrides):
        raise RunFolderError(
            f"start_from={NEIGHBOUR} is for sweeps over λ: glic train -m loss.lmbda=0.05,0.025 "
            f"start_from={NEIGHBOUR} name=..."
        )
    rows = sweep_rows(sweep)
    chain = [name for name, other in rows.items() if _rest(other.overrides) == _rest(record.overrides)]
    place = chain.index(str(folder.relative_to(sweep)))
    if place == 0:
        return None
    before = chain[place - 1]
    if rows[before].status != "finished":
        raise RunFolderError(
            f"{before}, which this job starts from, is not finished ({rows[before].status})."
        )
    return find_weights(str(sweep / before))[0]


def _rest(overrides: Sequence[str]) -> set[str]:
    """Everything but λ."""
    return {override for override in overrides if not override.startswith(_KEY)}
