"""What was fetched into a folder, with checksums: trusted at first sight, compared ever after."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from glic_pyg.data.image_file import DataError
from glic_pyg.files import write_file

__all__ = ["RECORD_NAME", "FetchRecord", "Fetched", "sha256_of"]

RECORD_NAME = ".glic-data.json"
_VERSION = 1


@dataclass(frozen=True)
class Fetched:
    """One file that was fetched.

    Attributes:
        url: where from.
        sha256: its checksum.
        kept: bytes of every file it became, by name: itself, or what was unpacked from it.
    """

    url: str
    sha256: str
    kept: dict[str, int] = field(default_factory=dict)


class FetchRecord:
    """The record of one folder, a JSON file in it.

    Args:
        folder: the folder; without a record nothing was fetched yet.

    Raises:
        DataError: the record cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / RECORD_NAME
        self.files: dict[str, Fetched] = {}
        if self.path.exists():
            try:
                content = json.loads(self.path.read_text(encoding="utf-8"))
                self.files = {name: Fetched(**entry) for name, entry in content["files"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise DataError(
                    f"{self.path} is damaged; remove it, and what it lists is checked anew."
                ) from error

    def add(self, name: str, fetched: Fetched) -> None:
        """Note a file; the record on disk is replaced as a whole."""
        self.files[name] = fetched
        entries = {name: asdict(entry) for name, entry in sorted(self.files.items())}
        write_file(self.path, json.dumps({"version": _VERSION, "files": entries}, indent=1) + "\n")

    def is_there(self, name: str) -> bool:
        """Whether everything that a fetched file became is in the folder, with the right number of bytes."""
        entry = self.files.get(name)
        return entry is not None and all(
            (self.folder / kept).is_file() and (self.folder / kept).stat().st_size == size
            for kept, size in entry.kept.items()
        )


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
