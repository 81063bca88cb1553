"""Writing files whole or not at all, and never over others unasked."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from glic_pyg.codec.errors import GlicError

__all__ = ["check_output", "write_output"]


def check_output(source: str, target: str, force: bool) -> None:
    """Find out before the work whether ``target`` may be written.

    Raises:
        GlicError: it exists and ``force`` is off, is the source, or lies in no folder.
    """
    path = Path(target)
    if target == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
        return  # a pipe or a device is written as it is
    if path.is_dir():
        raise GlicError(f"{target} is a folder; give a file name, or the folder with -o.")
    if not path.parent.is_dir():
        raise GlicError(f"The folder {path.parent} does not exist; create it first.")
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise GlicError("Input and output are the same file; give another output.")
    if path.exists() and not force:
        raise GlicError(f"{target} exists; overwrite it with --force.")


def write_output(path: Path, data: bytes) -> None:
    """Write to a temporary file beside ``path`` and rename it; on any failure nothing is left behind."""
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as out:
            out.write(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
