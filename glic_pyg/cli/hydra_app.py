"""Commands that are configured by Hydra: from arguments to a task with its configuration."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import glic_pyg
from glic_pyg.cli.config_errors import explain
from glic_pyg.cli.hydra_options import quote_paths, refuse_contradictions
from glic_pyg.cli.processes import arguments_of_this_process
from glic_pyg.errors import GlicError

__all__ = ["config_dir", "run_hydra_app"]

Task = Callable[[DictConfig], Any]


def config_dir() -> Path:
    """Folder of the configuration: inside the installed package, or beside it in a checkout."""
    package = Path(glic_pyg.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def run_hydra_app(command: str, task: Task, argv: Sequence[str]) -> int:
    """Compose the configuration named after the command and do the task with it, or with each of a sweep.

    Args:
        command: ``"train"`` for ``conf/train.yaml``.
        task: gets the configuration; a function of a module, because launchers pickle it.
        argv: overrides and Hydra's own options (``-m``, ``--cfg job``, ...).

    Returns:
        0; every failure ends in SystemExit, for a wrong argument with one sentence.
    """
    arguments = [quote_paths(argument) for argument in arguments_of_this_process(argv)]
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # else Hydra prints exceptions and exits by itself
    begun: list[bool] = []
    with _command_line([f"glic {command}", *arguments]) as real_argv:
        refuse_contradictions(command, arguments)

        @functools.wraps(task)
        def job(cfg: DictConfig) -> Any:
            begun.append(True)
            sys.argv = real_argv  # Lightning starts the other processes of a run with them
            with _one_sentence(command, arguments):
                return task(cfg)

        with _one_sentence(command, arguments, lambda: not begun):
            hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=command)(job)()
    return 0


@contextmanager
def _one_sentence(
    command: str, arguments: Sequence[str], of_hydra: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """End the program with a sentence where the user can do something about an error.

    Args:
        command, arguments: see :func:`run_hydra_app`.
        of_hydra: whether an error of any type is about the arguments, since nothing else has been looked at.
    """
    try:
        yield
    except GlicError as error:
        raise SystemExit(f"glic {command}: {error}") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise SystemExit(f"glic {command}: {explain(error, config_dir(), command, arguments)}") from error
    except (TypeError, ValueError) as error:
        if not of_hydra():
            raise
        raise SystemExit(f"glic {command}: {explain(error, config_dir(), command, arguments)}") from error


@contextmanager
def _command_line(argv: list[str]) -> Iterator[list[str]]:
    """Put ``argv`` in place of the real one, which is what Hydra parses."""
    before, sys.argv = sys.argv, argv
    try:
        yield before
    finally:
        sys.argv = before
