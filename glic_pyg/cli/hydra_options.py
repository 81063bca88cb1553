"""Hydra's own options: which of them do not go together."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser

__all__ = ["refuse_contradictions"]

_WRONG_USAGE = 2


def refuse_contradictions(command: str, arguments: Sequence[str]) -> None:
    """End the program where options ask for two things at once, which Hydra itself does with a traceback.

    Args:
        command: of ``glic``.
        arguments: overrides and Hydra's own options.

    Raises:
        SystemExit: with code 2, after one sentence; for an unknown option, after Hydra's usage.
    """
    if sentence := _contradiction(get_args_parser().parse_args(arguments)):
        print(f"glic {command}: {sentence}", file=sys.stderr)
        raise SystemExit(_WRONG_USAGE)


def _contradiction(options: Namespace) -> str | None:
    """What is wrong with Hydra's options, in a sentence."""
    if options.resolve and not (options.cfg or options.help):
        return "--resolve goes with --cfg or --help."
    tasks = {
        "--run": options.run,
        "-m": options.multirun,
        "--cfg": options.cfg,
        "--info": options.info,
        "--shell-completion": options.shell_completion,
    }
    asked = [name for name, given in tasks.items() if given]
    if len(asked) < 2 or options.help or options.hydra_help:
        return None
    of_one_run = options.multirun and (options.cfg or options.info)
    hint = ": what is shown is one run; leave -m out and give every key one value" if of_one_run else ""
    return f"{' and '.join(asked)} do not go together{hint}."
