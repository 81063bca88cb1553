"""One run in several processes: which of them this one is, and what it leaves to the first."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["PARENT", "arguments_of_this_process", "end_with_parent", "is_first_process"]

PARENT = "GLIC_SWEEP_PROCESS"
"""Environment variable: the process of the sweep that started this one, by its number."""

_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # torchrun, SLURM, Lightning
_SIZES = ("WORLD_SIZE", "SLURM_NTASKS")
_QUIET = ("hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none")
_SET_PDEATHSIG = 1  # of Linux's prctl


def is_first_process() -> bool:
    """Whether this process writes the run's files: it is rank 0, or alone."""
    return _first_number(_RANKS, 0) == 0


def arguments_of_this_process(argv: Sequence[str]) -> list[str]:
    """Arguments for Hydra: processes after the first keep no configuration and no log of their own.

    Raises:
        SystemExit: torchrun or SLURM started several processes without a name for their common folder.
    """
    arguments = list(argv)
    named = any(argument.startswith(("name=", "hydra.run.dir=", "-")) for argument in arguments)
    if _first_number(_SIZES, 1) > 1 and not named:
        raise SystemExit("glic: give this run a name=..., so that all of its processes use one folder.")
    quiet = () if is_first_process() else _QUIET
    return arguments + [argument for argument in quiet if argument not in arguments]


def end_with_parent() -> None:
    """Be told to stop (SIGTERM) when the sweep that started this process is killed; on Linux only."""
    parent = os.environ.pop(PARENT, None)  # what this process starts has another parent
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise SystemExit("glic: the sweep ended before this job began.")


def _first_number(variables: Sequence[str], default: int) -> int:
    """The first of these environment variables that is set."""
    return next((int(os.environ[name]) for name in variables if name in os.environ), default)
