"""``glic data``: fetch data sets, and check them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from glic_pyg.cli.options import positive
from glic_pyg.errors import DataError

if TYPE_CHECKING:
    from glic_pyg.data.fetch import Outcome
    from glic_pyg.data.fetch_list import FetchList, Remote

__all__ = ["main", "make_parser"]


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    args = make_parser().parse_args(argv)
    if args.action == "get":
        return _get(args)
    return _check(args)


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    from glic_pyg.data.download import MAX_BYTES
    from glic_pyg.data.fetch_list import shipped_lists

    parser = argparse.ArgumentParser(prog="glic data", description="Fetch data sets, and check them.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    get = actions.add_parser(
        "get",
        help="fetch a data set",
        description="Fetch the files of a list, several at a time, and compare their checksums. After an "
        "interruption the same command goes on where it was.",
    )
    names = ", ".join(shipped_lists())
    get.add_argument("list", metavar="NAME|LIST", help=f"one of {names}; or a CSV file: url,sha256,name")
    get.add_argument(
        "-o", "--output", metavar="FOLDER", required=True, type=Path, help="where to put the files"
    )
    get.add_argument(
        "-j", "--jobs", type=positive, default=4, metavar="N", help="files at a time (default: 4)"
    )
    get.add_argument(
        "--max-bytes",
        type=positive,
        default=MAX_BYTES,
        metavar="N",
        help="refuse files of more bytes, and archives that unpack to more (default: %(default)s)",
    )
    get.add_argument("-f", "--force", action="store_true", help="fetch again and overwrite what is there")
    check = actions.add_parser(
        "check",
        help="name images that cannot be read",
        description="Decode every image of a data set and name those that cannot be read, or were changed "
        "since glic data get fetched them.",
    )
    check.add_argument(
        "source", metavar="FOLDER", help="a folder, a tar shard, a list of files, or a pattern"
    )
    check.add_argument("--crop", type=positive, metavar="N", help="also name images smaller than N pixels")
    return parser


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _get(args: argparse.Namespace) -> int:
    from glic_pyg.data.fetch import Fetcher
    from glic_pyg.data.fetch_list import open_list

    wanted, console = open_list(args.list), _console()
    for line in wanted.about:
        console.print(line)
    outcomes: list[Outcome] = []
    try:
        with _Bar(console, wanted) as bar:
            fetcher = Fetcher(args.output, args.force, bar.update, args.max_bytes)
            for outcome in fetcher.run(wanted.files, args.jobs):
                outcomes.append(outcome)
                bar.finish(outcome)
    except KeyboardInterrupt:
        console.print("glic data get: interrupted; give the same command again to go on.")
        return 130
    return _report(console, args.output, outcomes)


def _report(console: Console, folder: Path, outcomes: Sequence[Outcome]) -> int:
    for outcome in outcomes:
        if not outcome.good:
            console.print(f"glic data get: {outcome.text}")
    failed = sum(not outcome.good for outcome in outcomes)
    unknown = sum(outcome.good and outcome.file.sha256 is None for outcome in outcomes)
    if unknown:
        console.print(
            f"{unknown} of {len(outcomes)} files have no published checksum; that of what came is noted in "
            f"{folder} and will be compared from now on."
        )
    if failed:
        console.print(
            f"glic data get: {failed} of {len(outcomes)} files failed; give the command again to go on."
        )
    else:
        console.print(f"{folder}: all {len(outcomes)} files are there.")
    return 1 if failed else 0


class _Bar:
    """One bar for all bytes and one for each file under way; without a terminal a line for each file."""

    def __init__(self, console: Console, wanted: FetchList) -> None:
        self.console = console
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        sizes = [file.size for file in wanted.files]
        total = sum(size or 0 for size in sizes) if all(sizes) else None
        self.all = self.progress.add_task(f"{len(sizes)} files", total=total)
        self.bytes = dict.fromkeys(wanted.files, 0)
        self.tasks: dict[Remote, TaskID] = {}

    def __enter__(self) -> _Bar:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def update(self, file: Remote, done: int, total: int | None) -> None:
        """Show a file's progress; called from several threads."""
        if file not in self.tasks:
            self.tasks[file] = self.progress.add_task(file.name, total=total)
        self.progress.update(self.tasks[file], completed=done, total=total)
        self._count(file, done)

    def finish(self, outcome: Outcome) -> None:
        """Take a file's bar away."""
        if outcome.file in self.tasks:
            self.progress.remove_task(self.tasks[outcome.file])
        self._count(outcome.file, outcome.file.size or self.bytes[outcome.file])
        if outcome.good and not self.console.is_terminal:
            self.console.print(f"{outcome.file.name}: {outcome.text}")

    def _count(self, file: Remote, done: int) -> None:
        self.bytes[file] = done
        self.progress.update(self.all, completed=sum(self.bytes.values()))


def _check(args: argparse.Namespace) -> int:
    from glic_pyg.data.fetch import changed_files
    from glic_pyg.data.index import build_catalogue

    catalogue, console = build_catalogue(args.source), _console()
    faults = list(catalogue.unreadable)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        faults += [line for line in bar.track(catalogue.undecodable(), total=len(catalogue)) if line]
    if Path(args.source).is_dir():
        try:
            faults += changed_files(Path(args.source))
        except DataError as error:
            faults.append(str(error))
    small = [
        f"{file.name}: {width}x{height} pixels, smaller than {args.crop}"
        for file, (height, width) in zip(catalogue.files, catalogue.sizes.tolist(), strict=True)
        if min(height, width) < (args.crop or 0)
    ]
    for line in [*faults, *small]:
        print(line)
    side, pixels = catalogue.sizes.min(), catalogue.sizes.prod(axis=1).sum() / 1e6
    too_small = f", {len(small)} too small" if args.crop else ""
    print(
        f"{len(catalogue)} images of {pixels:.1f} Mpixel in all, none smaller than {side} pixels; "
        f"{len(faults)} faults{too_small}{'; ' if catalogue.left_out else ''}{catalogue.left_out}."
    )
    return 1 if faults else 0
