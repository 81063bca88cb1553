"""What a study writes into docs/: a section between two comments of a page, figures, numbers as TSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from glic_pyg.files import write_file

__all__ = [
    "DOCS",
    "Cell",
    "make_command",
    "read_data",
    "replace_section",
    "without_options",
    "write_data",
    "write_image",
    "write_section",
]

DOCS = Path(__file__).parent.parent / "docs"
Cell = str | int | float | None
"""What a table of data holds: ``None`` is an empty cell, floats keep all their digits."""


def make_command(target: str, arguments: Sequence[str]) -> list[str]:
    """The words of ``make TARGET`` with arguments for its command."""
    return ["make", target, *([f"ARGS={' '.join(arguments)}"] if arguments else [])]


def without_options(arguments: Sequence[str], left_out: Sequence[str]) -> list[str]:
    """A command line without some options and their values.

    Args:
        arguments: of the command.
        left_out: paths, which differ between machines, and what changes nothing on the page.
    """
    kept, keep = [], True
    for word in arguments:
        if word.startswith("--"):
            keep = word.partition("=")[0] not in left_out
        if keep:
            kept.append(word)
    return kept


def write_image(docs: Path, name: str, data: bytes) -> None:
    """Write ``images/NAME`` of the docs."""
    (docs / "images").mkdir(parents=True, exist_ok=True)
    write_file(docs / "images" / name, data)


def write_data(docs: Path, name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write ``data/NAME`` of the docs, tab-separated with a row of names."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerows([header, *rows])
    (docs / "data").mkdir(parents=True, exist_ok=True)
    write_file(docs / "data" / name, out.getvalue())


def read_data(docs: Path, name: str) -> list[dict[str, str]]:
    """Rows of ``data/NAME`` of the docs, cells by the name of their column."""
    with (docs / "data" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write_section(page: Path, name: str, text: str) -> None:
    """Replace a section of a page, see :func:`replace_section`; without a page, begin one."""
    page.parent.mkdir(parents=True, exist_ok=True)
    before = page.read_text(encoding="utf-8") if page.is_file() else f"# {page.stem.capitalize()}\n"
    write_file(page, replace_section(before, name, text))


def replace_section(page: str, name: str, text: str) -> str:
    """The page with one section replaced, or appended if it has none of that name.

    Args:
        page: Markdown; everything outside the comments stays as it is.
        name: of the section, beginning with the make target that writes it, as in ``"results: kodak"``.
        text: the section.
    """
    begin = f"<!-- {name}: begin; written by make {name.partition(':')[0]} -->"
    end = f"<!-- {name}: end -->"
    whole = f"{begin}\n{text}\n{end}"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if found and closed:
        return head + whole + tail
    return f"{page.rstrip()}\n\n{whole}\n"
