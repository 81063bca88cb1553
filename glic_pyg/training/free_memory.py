"""Whether something large will fit, asked before it is loaded."""

import re
from pathlib import Path

import torch

from glic_pyg.data.image_file import DataError

_MEMINFO = Path("/proc/meminfo")


def check_memory(needed: int, device: torch.device) -> None:
    """Refuse to load what does not fit.

    Args:
        needed: bytes of decoded pictures.
        device: where they are to be kept.

    Raises:
        DataError: more than is free.
    """
    free = free_memory(device)
    if free is not None and needed > free:
        raise DataError(
            f"The decoded pictures need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free on {device}; "
            "decode them on demand with data=disk."
        )


def free_memory(device: torch.device) -> int | None:
    """Free bytes of a device, or ``None`` where that cannot be found out."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    match = re.search(r"^MemAvailable:\s*(\d+) kB", _MEMINFO.read_text(), re.M) if _MEMINFO.exists() else None
    return 1024 * int(match[1]) if match and device.type == "cpu" else None
