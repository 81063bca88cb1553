"""Lists of files to download, shipped for known data sets or written by the user."""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from glic_pyg.errors import DataError
from glic_pyg.files import read_text

__all__ = ["FetchList", "Remote", "is_name_below", "open_list", "shipped_lists"]

_SETS = Path(__file__).parent / "sets"
_COLUMNS = ("url", "sha256", "name", "bytes", "members")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"[0-9]{1,18}")


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
    """The files of one data set.

    Attributes:
        about: the list's comments: what it is, where it comes from, how it may be used.
        files: what to fetch.
    """

    about: tuple[str, ...]
    files: tuple[Remote, ...]


def shipped_lists() -> dict[str, Path]:
    """Map the names of known data sets to their shipped lists."""
    return {path.stem: path for path in sorted(_SETS.glob("*.csv"))}


def open_list(name_or_path: str) -> FetchList:
    """Open a shipped list by its name, or any list by its path.

    A list is a CSV file in UTF-8. Lines that begin with ``#`` say something about it; the first other line
    names the columns: ``url``, and optionally ``sha256``, ``name`` (by default the last part of the URL),
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


def is_name_below(name: object) -> bool:
    """Whether a name is that of a file below a folder: relative, without ``..``, and not hidden."""
    if not isinstance(name, str) or not name.isprintable() or "\\" in name or name.startswith("."):
        return False
    place = PurePosixPath(name)
    return bool(place.name) and not place.is_absolute() and ".." not in place.parts


def _read(path: Path) -> FetchList:
    try:
        lines = read_text(path).splitlines()
    except ValueError:
        raise DataError(f"{path} is not a list of files: it is no text in UTF-8, or far too large.") from None
    about = tuple(line.lstrip("# ").rstrip() for line in lines if line.startswith("#"))
    files = tuple(_rows(path, lines))
    twice = [name for name, count in Counter(file.name for file in files).items() if count > 1]
    if not files or twice:
        raise DataError(f"{path} names {f'{min(twice)} twice' if twice else 'no files'}; correct the list.")
    return FetchList(about, files)


def _rows(path: Path, lines: list[str]) -> Iterator[Remote]:
    numbered = ((n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#"))
    header = _fields(path, *next(numbered, (1, "")))
    if "url" not in header or not set(header) <= set(_COLUMNS):
        raise DataError(f"{path} must name its columns first: url, and at will {', '.join(_COLUMNS[1:])}.")
    for number, line in numbered:
        try:
            yield _remote(dict(zip(header, _fields(path, number, line), strict=False)))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from None


def _fields(path: Path, number: int, line: str) -> list[str]:
    try:
        return [field.strip() for row in csv.reader([line], strict=True) for field in row]
    except csv.Error as error:
        raise DataError(f"{path}, line {number}: this is no line of a CSV file ({error}).") from None


def _remote(fields: dict[str, str]) -> Remote:
    url = urlsplit(fields.get("url", ""))
    if url.scheme not in ("http", "https") or not url.netloc:
        raise ValueError(f"'{fields.get('url', '')}' is no http or https address.")
    name = fields.get("name") or unquote(PurePosixPath(url.path).name)
    if not is_name_below(name):
        raise ValueError(f"'{name}' is no name for a file below the folder; give another in the column name.")
    sha256 = fields.get("sha256", "").lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise ValueError(f"'{sha256}' is no SHA-256 checksum of 64 hexadecimal digits.")
    size = fields.get("bytes", "")
    if size and not _SIZE.fullmatch(size):
        raise ValueError(f"'{size}' is no number of bytes.")
    return Remote(
        url.geturl(),
        PurePosixPath(name).as_posix(),
        sha256 or None,
        int(size) if size else None,
        fields.get("members") or None,
    )
