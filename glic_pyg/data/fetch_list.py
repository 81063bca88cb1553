"""What to fetch: lists of files on the net, shipped for known data sets or written by the user."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from glic_pyg.data.image_file import DataError

__all__ = ["FetchList", "Remote", "open_list", "shipped_lists"]

_SETS = Path(__file__).parent / "sets"
_COLUMNS = ("url", "sha256", "name", "bytes", "members")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Remote:
    """One file to fetch.

    Attributes:
        url: http or https.
        name: what it is called in the folder; a relative path.
        sha256: its checksum in hexadecimal, or ``None`` where nobody has published it.
        size: its bytes, if known.
        members: for an archive, the pattern of the members to take out of it, e.g. ``*/valid/*.png``.
    """

    url: str
    name: str
    sha256: str | None = None
    size: int | None = None
    members: str | None = None


@dataclass(frozen=True)
class FetchList:
    """Files that belong together.

    Attributes:
        about: the list's comments: what it is, where it comes from, how it may be used.
        files: what to fetch.
    """

    about: tuple[str, ...]
    files: tuple[Remote, ...]


def shipped_lists() -> dict[str, Path]:
    """Names of the data sets that this package has a list of, and the lists."""
    return {path.stem: path for path in sorted(_SETS.glob("*.csv"))}


def open_list(name_or_path: str) -> FetchList:
    """A shipped list by its name, or any list by its path.

    A list is a CSV file in UTF-8. Lines that begin with ``#`` say something about it; the first other line
    names the columns: ``url``, and at will ``sha256``, ``name`` (by default the last part of the URL),
    ``bytes``, ``members``. Fields may be empty.

    Raises:
        DataError: there is no such list, or a line of it makes no sense.
    """
    shipped = shipped_lists()
    if name_or_path in shipped:
        return _read(shipped[name_or_path])
    if Path(name_or_path).is_file():
        return _read(Path(name_or_path))
    close = difflib.get_close_matches(name_or_path, shipped, n=1)
    hint = f"did you mean {close[0]}?" if close else f"give a file, or one of {', '.join(shipped)}."
    raise DataError(f"There is no list {name_or_path}; {hint}")


def _read(path: Path) -> FetchList:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a list of files: it is not text in UTF-8.") from None
    about = tuple(line.lstrip("# ").rstrip() for line in lines if line.startswith("#"))
    files = tuple(_rows(path, lines))
    names = [file.name for file in files]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if not files or twice:
        raise DataError(f"{path} names {f'{min(twice)} twice' if twice else 'no files'}; correct the list.")
    return FetchList(about, files)


def _rows(path: Path, lines: list[str]) -> Iterator[Remote]:
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    rows = csv.reader(line for _, line in numbered)
    header = [column.strip() for column in next(rows, [])]
    if "url" not in header or not set(header) <= set(_COLUMNS):
        raise DataError(f"{path} must name its columns first: url, and at will {', '.join(_COLUMNS[1:])}.")
    for (number, _), row in zip(numbered[1:], rows, strict=True):
        try:
            yield _remote(dict(zip(header, (field.strip() for field in row), strict=False)))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from None


def _remote(fields: dict[str, str]) -> Remote:
    url = urlsplit(fields.get("url", ""))
    if url.scheme not in ("http", "https") or not url.netloc:
        raise ValueError(f"'{fields.get('url', '')}' is no http or https address.")
    name = fields.get("name") or unquote(PurePosixPath(url.path).name)
    place = PurePosixPath(name)
    if not place.name or place.is_absolute() or ".." in place.parts or "\\" in name or name.startswith("."):
        raise ValueError(f"'{name}' is no name for a file below the folder; give another in the column name.")
    sha256 = fields.get("sha256", "").lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise ValueError(f"'{sha256}' is no SHA-256 checksum of 64 hexadecimal digits.")
    size = fields.get("bytes", "")
    if size and not size.isdecimal():
        raise ValueError(f"'{size}' is no number of bytes.")
    return Remote(
        url.geturl(), name, sha256 or None, int(size) if size else None, fields.get("members") or None
    )
