"""What is known of a study's runs: a small JSON file each, kept between calls of the command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glic_pyg.errors import GlicError
from glic_pyg.files import write_file

__all__ = ["Record", "RunRecords", "replace_section"]


Record = dict[str, Any]
"""``settings``: all that the run's numbers hang on; beside them what the study measured."""


class RunRecords:
    """A folder with the record of every run that is done.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, settings: Mapping[str, Any]) -> Record | None:
        """The record of a run; ``None`` if there is none.

        Raises:
            GlicError: it was made with other settings, so that a table would not be of one study.
        """
        path = self.file(name, "json")
        if not path.is_file():
            return None
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        if record["settings"] != json.loads(json.dumps(settings)):
            raise GlicError(f"{path} was made with other settings; choose another --folder or remove it.")
        return record

    def write(self, name: str, record: Record) -> None:
        """Keep a record, over the run's older one if there is one."""
        write_file(self.file(name, "json"), json.dumps(record, indent=1) + "\n")

    def file(self, name: str, suffix: str) -> Path:
        """Where a run's file of that kind is, or belongs."""
        return self.folder / f"{name}.{suffix}"


def replace_section(page: str, name: str, text: str) -> str:
    """The page with one section replaced, or appended if it has none of that name.

    Args:
        page: Markdown; everything outside the markers stays as it is.
        name: of the section, and of the make target that writes it, as in ``"results: kodak"``.
        text: the section, without markers.
    """
    begin = f"<!-- {name}: begin; written by make {name.partition(':')[0]} -->"
    end = f"<!-- {name}: end -->"
    whole = f"{begin}\n{text}\n{end}"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if found and closed:
        return head + whole + tail
    return f"{page.rstrip()}\n\n{whole}\n"
