"""The command line before Hydra reads it: paths are quoted, what would end in a traceback is refused."""

from __future__ import annotations

import os
import pickle
import re
import sys
from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

__all__ = ["quote_paths", "quoted", "refuse_contradictions"]

_WRONG_USAGE = 2
_PATHS = (
    "images",
    "weights",
    "data.root",
    "data.val_root",
    "ckpt_path",
    "start_from",
    "grow_from",
    "paths.data",
    "paths.runs",
)
"""Settings whose value is a text even if it looks like a number."""
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")
"""What means no more to Hydra than it says, unless it is a number or the like."""
_NO_TEXT = re.compile(r"(?i)[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)|true|false")


def quote_paths(argument: str) -> str:
    """Quote the paths in an override that exist, alone, in a list or as values of a sweep.

    Hydra's grammar reads ``=``, commas, brackets and spaces as more than letters, and others not at all.
    """
    key, _, value = argument.partition("=")
    if argument.startswith("-") or not value:
        return argument
    return f"{key}={_with_quotes(value, key.lstrip('+') in _PATHS)}"


def quoted(text: str) -> str:
    """A text as Hydra's grammar takes it, whatever is in it."""
    text = re.sub(r"(\\*)'", r"\1\1\\'", text.replace("${", r"\${"))  # backslashes count before a quote only
    ending = len(text) - len(text.rstrip("\\"))
    return f"'{text}{chr(92) * ending}'"


def refuse_contradictions(command: str, arguments: Sequence[str]) -> None:
    """End the program where options ask for two things at once, or for what is not there.

    Args:
        command: of ``glic``.
        arguments: overrides and Hydra's own options.

    Raises:
        SystemExit: with code 2, after one sentence; for an unknown option, after Hydra's usage.
    """
    options = get_args_parser().parse_args(arguments)
    if sentence := _contradiction(options) or _not_to_rerun(options.experimental_rerun):
        print(f"glic {command}: {sentence}", file=sys.stderr)
        raise SystemExit(_WRONG_USAGE)


def _with_quotes(value: str, always: bool) -> str:
    if _exists(value):
        plain = _PLAIN.fullmatch(value) and not (always and _NO_TEXT.fullmatch(value))
        return value if plain else quoted(value)
    if value.startswith("[") and value.endswith("]"):
        return f"[{_each_with_quotes(value[1:-1], always)}]"
    return _each_with_quotes(value, always)


def _each_with_quotes(values: str, always: bool) -> str:
    """The same for values between commas, which may be part of a path: the longest that exists is taken."""
    parts, done = values.split(","), []
    while parts:
        ends = range(len(parts), 1, -1)
        end = next((end for end in ends if _exists(",".join(parts[:end]).strip())), 1)
        part = ",".join(parts[:end]).strip()
        done.append(_with_quotes(part, always) if _exists(part) else ",".join(parts[:end]))
        parts = parts[end:]
    return ",".join(done)


def _exists(path: str) -> bool:
    return bool(path) and os.path.exists(os.path.expanduser(path))


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


def _not_to_rerun(path: str | None) -> str | None:
    """Why a file cannot be rerun, in a sentence."""
    if path is None:
        return None
    if not os.path.isfile(path):
        return f"there is no file {path} to rerun."
    try:
        with open(path, "rb") as file:
            kept = pickle.load(file)  # as Hydra is about to do
    except Exception:  # a pickle that is none, or of what is not here, raises anything
        kept = None
    if isinstance(kept, DictConfig) and "hydra" in kept:
        return None
    return f"{path} is no configuration to rerun: Hydra's PickleJobInfoCallback keeps one, as config.pickle."
