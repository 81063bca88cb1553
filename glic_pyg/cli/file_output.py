"""Writing files whole or not at all, and never over others unasked."""

from __future__ import annotations

from pathlib import Path

from glic_pyg.codec.errors import GlicError
from glic_pyg.files import write_file

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
    """Write a file whole or not at all; a pipe or a device as it is."""
    write_file(path, data)
