"""How and where a number was measured: without that, a time means nothing."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["Machine", "Provenance", "provenance", "this_machine"]


@dataclass(frozen=True)
class Machine:
    """A machine and what of it was used.

    Attributes:
        cpu: name of the processor.
        cores: processors this process may run on.
        threads: CPU threads of torch.
        capability: vector instructions torch uses.
        torch, python: versions.
        device: the accelerator's name if the work ran on one, else ``"cpu"``.
    """

    cpu: str
    cores: int
    threads: int
    capability: str
    torch: str
    python: str
    device: str = "cpu"

    def __str__(self) -> str:
        where = "" if self.device == "cpu" else f", {self.device}"
        return (
            f"{self.cpu} ({self.capability}), {self.cores} cores, {self.threads} threads{where}, "
            f"torch {self.torch}, Python {self.python}"
        )


@dataclass(frozen=True)
class Provenance:
    """What to write beside a table.

    Attributes:
        command: as typed in a shell.
        machine: where it ran.
        date: ISO 8601, local time.
    """

    command: str
    machine: Machine
    date: str

    def __str__(self) -> str:
        return f"command: {self.command}\nmachine: {self.machine}\ndate: {self.date}"


def provenance(command: Sequence[str], device: str = "cpu") -> Provenance:
    """Describe a command that runs here and now.

    Args:
        command: its words.
        device: where the work runs, ``"cpu"`` or ``"cuda"``.
    """
    return Provenance(shlex.join(command), this_machine(device), datetime.date.today().isoformat())


def this_machine(device: str = "cpu") -> Machine:
    """Describe the machine this process runs on.

    Args:
        device: where the work runs, ``"cpu"`` or ``"cuda"``.
    """
    return Machine(
        _cpu_name(),
        _usable_cores(),
        torch.get_num_threads(),
        torch.backends.cpu.get_cpu_capability(),
        torch.__version__,
        platform.python_version(),
        torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
    )


def _cpu_name() -> str:
    """The processor's marketing name where Linux tells it, else what Python knows."""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
