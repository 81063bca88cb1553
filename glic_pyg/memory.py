"""Free memory, and a sentence instead of a killed process where something will not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from glic_pyg.errors import NotEnoughMemory

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["check_memory", "free_memory"]

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_CGROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),  # version 2
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
)


def check_memory(needed: int, what: str, advice: str, device: str = "cpu") -> None:
    """Refuse what does not fit, before it is begun.

    Args:
        needed: bytes.
        what: begins the sentence, e.g. ``"Decoding"``; "needs" follows.
        advice: what to do about it; ends the sentence.
        device: where the memory is wanted, as torch names it.

    Raises:
        NotEnoughMemory: more than is free. Where nobody knows what is free, nothing is refused.
    """
    free = free_memory(device)
    if free is not None and needed > free:
        place = "" if device == "cpu" else f" on {device}"
        figures = f"about {_readable(needed)} of memory and {_readable(free)} are free"
        raise NotEnoughMemory(f"{what} needs {figures}{place}; {advice}.")


def free_memory(device: str = "cpu") -> int | None:
    """Bytes that this process can still get, or ``None`` where that cannot be found out.

    On the CPU that is the least of what the system, the control group (a container's limit) and
    ``ulimit -v`` leave; free swap counts. Only Linux tells.
    """
    if device.startswith("cuda"):
        import torch

        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    if device != "cpu":
        return None
    return min((free for free in (*_of_system(), *_of_control_groups(), *_of_process())), default=None)


def _of_system() -> Iterator[int]:
    found = dict(re.findall(r"^(MemAvailable|SwapFree):\s*(\d+) kB", _read(_PROC / "meminfo"), re.M))
    if "MemAvailable" in found:
        yield 1024 * sum(map(int, found.values()))


def _of_control_groups() -> Iterator[int]:
    """Of the group this process is in and of all above it, as far as they can be seen from here."""
    for line in _read(_PROC / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        limit, used, cache = _CGROUP_FILES[controllers == "memory"]
        group = _CGROUPS / controllers / path.strip("/")
        for folder in (group, *group.parents):
            allowed, taken = _read(folder / limit).strip(), _read(folder / used).strip()
            if allowed.isdecimal() and taken.isdecimal():  # "max" is no limit
                unused = re.search(rf"^{cache} (\d+)$", _read(folder / "memory.stat"), re.M)
                yield max(0, int(allowed) - int(taken) + int(unused[1] if unused else 0))


def _of_process() -> Iterator[int]:
    pages = _read(_PROC / "self" / "statm").split()
    if resource is not None and pages:
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            yield max(0, limit - int(pages[0]) * resource.getpagesize())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _readable(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
