"""``glic info``: what a ``.glic`` file says about itself."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    parser = argparse.ArgumentParser(
        prog="glic info", description="Verify a .glic file's checksums and print its header."
    )
    parser.add_argument("file", help="a .glic file, or - for standard input")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)

    from glic_pyg.codec.file_info import open_info

    facts = asdict(open_info(sys.stdin.buffer if args.file == "-" else args.file))
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    facts["quality"] = "fixed by the weights" if facts["quality"] is None else f"{facts['quality']:g}"
    facts["bpp"] = f"{facts['bpp']:.4f}"
    facts["streams"] = ", ".join(f"{name} {size}" for name, size in facts["streams"].items())
    facts["ignored_streams"] = ", ".join(map(str, facts["ignored_streams"])) or "none"
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<16}{value}")
    return 0
