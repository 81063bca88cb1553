"""``glic info``: what ``.glic`` files say about themselves."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from glic_pyg.cli.console import FileBatch, shown
from glic_pyg.cli.paths import expand_folders, open_input
from glic_pyg.codec.results import open_info

__all__ = ["main", "make_parser"]


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic info", description="Verify the checksums of .glic files and print their headers."
    )
    parser.add_argument(
        "paths", nargs="+", metavar="FILE", help=".glic files or folders; - is standard input"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: a list for several files")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    args = make_parser().parse_args(argv)
    paths = expand_folders("info", args.paths, [".glic"])
    found: list[tuple[str, dict[str, Any]]] = []
    with FileBatch("info", len(paths)) as batch:
        for path in paths:
            with batch.file(path), open_input(path) as source:
                found.append((path, asdict(open_info(source))))
    alone = args.paths == paths and len(paths) == 1
    if args.json and alone:
        for _, facts in found:
            print(json.dumps(facts, indent=2))
    elif args.json:
        print(json.dumps([{"file": path, **facts} for path, facts in found], indent=2))
    else:
        texts = [_text(facts) if alone else f"{shown(path)}\n{_text(facts)}" for path, facts in found]
        print("\n\n".join(texts), end="\n" if texts else "")
    return 1 if batch.failed else 0


def _text(facts: Mapping[str, Any]) -> str:
    """One line a fact."""
    quality, streams, ignored = facts["quality"], facts["streams"], facts["ignored_streams"]
    written = {
        **facts,
        "quality": "fixed by the weights" if quality is None else f"{quality:g}",
        "bpp": f"{facts['bpp']:.4f}",
        "streams": ", ".join(f"{name} {size}" for name, size in streams.items()),
        "ignored_streams": ", ".join(map(str, ignored)) or "none",
    }
    return "\n".join(f"{name.replace('_', ' '):<16}{value}" for name, value in written.items())
