"""Hydra for ``glic train`` and ``glic test``: from arguments to a task, and every error one sentence."""

from __future__ import annotations

import difflib
import functools
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString, Sweep
from hydra.core.utils import setup_globals
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import glic_pyg
from glic_pyg.cli.console import print_traceback, say, sentence_of
from glic_pyg.cli.extras import missing_package
from glic_pyg.cli.run_folder import arguments_of_this_process
from glic_pyg.errors import GlicError

__all__ = ["compose_option", "config_dir", "explain", "quote_paths", "quoted", "run_hydra_app"]

Task = Callable[[DictConfig], Any]

_WRONG_USAGE = 2
_PACKAGE_OF_LAUNCHER = {
    "joblib": ("hydra-joblib-launcher", "joblib"),
    "submitit_slurm": ("hydra-submitit-launcher", "slurm"),
    "ray": ("hydra-ray-launcher", "ray"),
}
"""Launcher plugins by Hydra's name: the distribution, and our extra that installs it."""
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
_ASSIGNING = re.compile(r"[A-Za-z0-9_./+-]+=[A-Za-z0-9_./+=-]*")
"""A path like ``runs/first/loss.lmbda=0.05``."""
_NO_TEXT = re.compile(r"(?i)[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)|true|false")


def config_dir() -> Path:
    """Folder of the configuration: inside the installed package, or beside it in a checkout."""
    package = Path(glic_pyg.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def compose_option(group: str, option: str) -> DictConfig:
    """Compose one option of a group of ``conf/`` with what it inherits, e.g. ``("model", "glic_s")``.

    Raises:
        MissingConfigException: there is no such option.
    """
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        return cast(DictConfig, hydra.compose(f"{group}/{option}")[group])


def run_hydra_app(command: str, task: Task, argv: Sequence[str]) -> int:
    """Compose the configuration named after the command and run the task with it, or with each of a sweep.

    Args:
        command: ``"train"`` for ``conf/train.yaml``.
        task: gets the configuration; a function of a module, because launchers pickle it.
        argv: overrides and Hydra's own options (``-m``, ``--cfg job``, ...).

    Returns:
        0.

    Raises:
        SystemExit: every failure; for a wrong argument with one sentence.
    """
    arguments = [quote_paths(argument) for argument in arguments_of_this_process(argv)]
    setup_globals()  # resolvers, which a rerun would miss
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # else Hydra prints exceptions and exits by itself
    started: list[bool] = []
    with _command_line([f"glic {command}", *arguments]) as real_argv:

        @functools.wraps(task)
        def job(cfg: DictConfig) -> Any:
            started.append(True)
            sys.argv = real_argv  # Lightning starts the other processes of a run with them
            with _one_sentence(command):
                return task(cfg)

        app = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=command)(job)
        try:
            with _one_sentence(command):
                app()
        except Exception as error:  # not one of ours: Hydra has looked at the arguments, and at nothing else
            if started:
                raise
            if sentence := _group_without_option(arguments):
                raise SystemExit(f"glic {command}: {sentence}") from error
            say(f"glic {command}: {_wrong_usage(error, arguments)}")
            print_traceback()
            raise SystemExit(_WRONG_USAGE) from error
    return 0


@contextmanager
def _one_sentence(command: str) -> Iterator[None]:
    """End the program with a sentence where the user can do something about an error."""
    try:
        yield
    except GlicError as error:
        raise SystemExit(f"glic {command}: {error}") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise SystemExit(f"glic {command}: {explain(error, command)}") from error
    except ModuleNotFoundError as error:  # of what is imported when it is used
        if (sentence := missing_package(error, command)) is None:
            raise
        raise SystemExit(f"glic {command}: {sentence}") from error


def explain(error: Exception, command: str) -> str:
    """An error of Hydra or OmegaConf in one sentence: what is wrong and what to do."""
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"{error.override} is no setting; one is written key=value."
        return f"cannot read {error.override}: {_one_line(error).partition(' See http')[0]}; try quotes."
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_file(error.missing_cfg_file, error.options or ())
    if isinstance(error, ConfigCompositionException) and error.__cause__:  # else Hydra says what to do
        return f"{str(error).splitlines()[0]} glic {command} --cfg job shows what there is."
    if isinstance(error, InstantiationException) and error.__cause__:
        return _failed_constructor(error, command)
    return _one_line(error)


def _wrong_usage(error: Exception, arguments: Sequence[str]) -> str:
    """What is wrong with Hydra's own options, in one sentence."""
    for flag, path in itertools.pairwise(arguments):
        if flag == "--experimental-rerun" and not Path(path).is_file():
            return f"There is no file {path} to rerun."
        if flag == "--experimental-rerun":
            return f"{path} is no configuration to rerun: Hydra's PickleJobInfoCallback writes config.pickle."
    return f"{_one_line(error)}." if isinstance(error, ValueError) else sentence_of(error)


def _group_without_option(arguments: Sequence[str]) -> str | None:
    """For a group that is given null or a number instead of an option: Hydra does not say which."""
    for override in OverridesParser.create().parse_overrides(list(filter(_is_override, arguments))):
        options = sorted(path.stem for path in (config_dir() / override.key_or_group).glob("*.yaml"))
        if options and not isinstance(override.value(), str | list | QuotedString | Sweep):
            return f"{override.input_line} is no option of the group; choose one of {', '.join(options)}."
    return None


def _is_override(argument: str) -> bool:
    return "=" in argument and not argument.startswith("-")


def _missing_file(name: str, options: Sequence[str]) -> str:
    group, _, option = name.rpartition("/")
    if group == "hydra/launcher" and option in _PACKAGE_OF_LAUNCHER:
        package, extra = _PACKAGE_OF_LAUNCHER[option]
        return f"this launcher needs the package {package}: pip install 'glic-pyg[{extra}]'."
    if not options:
        return f"there is no configuration {name}."
    close = difflib.get_close_matches(option, options, n=1)
    hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(options)}."
    return f"there is no {group}={option}; {hint}"


def _failed_constructor(error: InstantiationException, command: str) -> str:
    """The constructor's own complaint, with the key of the object that could not be made."""
    for reason in _causes(error):
        if isinstance(reason, ModuleNotFoundError) and (sentence := missing_package(reason, command)):
            return sentence
    _, _, key = str(error).rpartition("full_key: ")  # Hydra's last line, for all but the topmost object
    return f"{key}: {_one_line(error.__cause__)}" if "\n" not in key else _one_line(error.__cause__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    while error.__cause__:
        error = error.__cause__
        yield error


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


@contextmanager
def _command_line(argv: list[str]) -> Iterator[list[str]]:
    """Put ``argv`` in place of the real one, which is what Hydra parses."""
    before, sys.argv = sys.argv, argv
    try:
        yield before
    finally:
        sys.argv = before


def quote_paths(argument: str) -> str:
    """Quote the paths in an override, alone, in a list or as values of a sweep.

    Those that exist, and in settings that are paths also others with ``=`` in them, as folders of sweeps.

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
        if _exists(part):
            done.append(_with_quotes(part, always))
        elif always and _ASSIGNING.fullmatch(part):
            done.append(quoted(part))
        else:
            done.append(",".join(parts[:end]))
        parts = parts[end:]
    return ",".join(done)


def _exists(path: str) -> bool:
    return bool(path) and os.path.exists(os.path.expanduser(path))
