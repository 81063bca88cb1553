"""``glic``: finds the command and turns its failures into one sentence and an exit code.

Commands are modules with ``main(argv) -> int``; they are imported only when called, so that ``glic --help``
does not wait for torch. To add one, add a row to ``COMMANDS``.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import glic_pyg
from glic_pyg import runtime
from glic_pyg.cli.console import print_traceback, run_program, say, sentence_of, shown
from glic_pyg.cli.extras import missing_package
from glic_pyg.errors import GlicError

__all__ = ["COMMANDS", "Command", "main"]


class Command(NamedTuple):
    """One row of ``glic --help``."""

    name: str
    module: str
    summary: str


COMMANDS = (
    Command("encode", "glic_pyg.cli.encode", "compress images to .glic files"),
    Command("decode", "glic_pyg.cli.decode", "turn .glic files back into images"),
    Command("info", "glic_pyg.cli.info", "say what is in a .glic file"),
    Command("compare", "glic_pyg.cli.compare", "measure against JPEG and WebP at the same bytes"),
    Command("test", "glic_pyg.cli.test", "measure a data set at every quality, beside classical codecs"),
    Command("rd", "glic_pyg.cli.rd", "curves of rate and distortion held against each other"),
    Command("demo", "glic_pyg.cli.demo", "a photograph there and back, with figures of its graph"),
    Command(
        "inspect", "glic_pyg.cli.inspect", "the graphs that a model builds for an image: page, figures, data"
    ),
    Command("doctor", "glic_pyg.cli.doctor", "say what is installed and which code paths are in use"),
    Command("convert", "glic_pyg.cli.convert", "turn a released checkpoint into a weights file"),
    Command("data", "glic_pyg.cli.data", "fetch data sets, and check them"),
    Command("train", "glic_pyg.cli.train", "train a codec, configured by Hydra"),
)

_OK, _FAILED, _USAGE, _INTERRUPTED = 0, 1, 2, 130
_WITH_CODE_OF_USERS = ("train",)
"""Commands whose configuration names classes: where one of these fails, a traceback says where."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after ``glic``. By default those of the process, which then has no other purpose:
            its standard streams, warnings and signals are prepared for the command.

    Returns:
        0 when all went well, 1 for an error with a file or at run time, 2 for wrong usage, 130 after Ctrl-C.
    """
    if argv is None:
        trains = sys.argv[1:2] == ["train"]
        runtime.prepare()
        if not trains:
            runtime.start_quickly()
        return run_program(lambda: main(sys.argv[1:]), trains=trains)
    arguments = list(argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return _OK if arguments else _USAGE
    if arguments[0] == "--version":
        print(f"glic {glic_pyg.__version__}")
        return _OK
    for command in COMMANDS:
        if command.name == arguments[0]:
            return _run(command, arguments[1:])
    close = difflib.get_close_matches(arguments[0], [command.name for command in COMMANDS], n=1)
    hint = f"did you mean '{close[0]}'?" if close else "see glic --help."
    say(f"glic: there is no command '{shown(arguments[0])}'; {hint}")
    return _USAGE


def _run(command: Command, arguments: list[str]) -> int:
    from glic_pyg.codec.pillow import collect_warnings

    collect_warnings()
    try:
        return int(import_module(command.module).main(arguments))
    except KeyboardInterrupt:
        say(f"glic {command.name}: interrupted; no unfinished file was left.")
        return _INTERRUPTED
    except BrokenPipeError:
        return _FAILED  # nobody reads on: end quietly, as other filters do
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and (sentence := missing_package(error, command.name)):
            say(f"glic {command.name}: {sentence}")
            return _FAILED
        if command.name in _WITH_CODE_OF_USERS and not isinstance(error, GlicError | OSError):
            raise
        say(f"glic {command.name}: {sentence_of(error)}")
        print_traceback()
        return _FAILED


def _help() -> str:
    width = max(len(command.name) for command in COMMANDS)
    rows = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS)
    return (
        "usage: glic COMMAND ...\n\nLearned image compression with graph neural networks.\n\n"
        f"commands:\n{rows}\n\n`glic COMMAND --help` explains one; `glic --version` prints the version."
    )


if __name__ == "__main__":
    raise SystemExit(main())
