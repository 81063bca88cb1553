"""How and where a number was measured: command, machine, versions, weights and date."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

__all__ = ["Machine", "Provenance", "provenance", "this_machine"]

_PACKAGES = (
    "glic-pyg", "torch-geometric", "compressai", "numpy", "pillow", "pillow-jxl-plugin", "imageio-ffmpeg",
)  # fmt: skip
"""Packages that can change a number, beside torch and Python, which are stated with the machine."""


@dataclass(frozen=True)
class Machine:
    """A machine and the part of it that was used.

    Attributes:
        cpu: name of the processor.
        cores: processors that this process may run on.
        threads: CPU threads of torch.
        capability: vector instructions that torch uses.
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
    """The statement beside a table of results.

    Attributes:
        command: as typed in a shell.
        machine: where it ran.
        date: ISO 8601, local time.
        versions: of installed packages that can change a number.
        weights: SHA-256 of the weights that were measured, hex, by name.
    """

    command: str
    machine: Machine
    date: str
    versions: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        weights = "".join(f"\nweights: {name} {digest[:16]}" for name, digest in self.weights.items())
        return f"command: {self.command}\nmachine: {self.machine}{weights}\ndate: {self.date}"


def provenance(
    command: Sequence[str], device: str = "cpu", weights: Mapping[str, str] | None = None
) -> Provenance:
    """Describe a command that runs here and now.

    Args:
        command: its words.
        device: where the work runs, ``"cpu"`` or ``"cuda"``.
        weights: SHA-256 by name, if there are any.
    """
    date = datetime.date.today().isoformat()
    return Provenance(shlex.join(command), this_machine(device), date, _versions(), dict(weights or {}))


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
    """The model name of the processor on Linux, else what Python knows."""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
