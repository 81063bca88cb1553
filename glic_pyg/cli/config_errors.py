"""Hydra's and OmegaConf's errors as one sentence that names what is wrong and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import (
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

__all__ = ["explain"]

_PACKAGE_OF_LAUNCHER = {
    "joblib": ("hydra-joblib-launcher", "joblib"),
    "submitit_slurm": ("hydra-submitit-launcher", "slurm"),
    "ray": ("hydra-ray-launcher", "ray"),
}
"""Launcher plugins by Hydra's name: the distribution, and our extra that installs it."""
_EXTRA_OF_MODULE = {"pytorch_optimizer": "optim", "wandb": "wandb", "mlflow": "mlflow"}
"""Modules that an option of a group needs, and our extra that installs them."""


def explain(error: Exception, folder: Path, command: str, arguments: Sequence[str]) -> str:
    """Say in one sentence what is wrong.

    Args:
        error: of Hydra or OmegaConf.
        folder: of the configuration.
        command: name of the main configuration.
        arguments: what the user typed; a key that is not there is compared with those that are.
    """
    if unknown := re.match(r"Could not (?:override|delete from config\.) '([^']+)'", str(error)):
        others = [a for a in arguments if unknown[1] not in a and "=" in a and not a.startswith("-")]
        return _unknown_key(unknown[1], command, _known_keys(folder, command, others))
    if group := _group_without_option(error, folder, arguments):
        return group
    if several := re.match(r"Ambiguous value for argument '([^=]+)=(.+)'$", str(error), re.MULTILINE):
        return _several_values(*several.groups())
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"{error.override} is no setting; one is written key=value."
        return f"cannot read {error.override}: {_one_line(error).partition(' See http')[0]}; try quotes."
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_file(error.missing_cfg_file, error.options or ())
    if isinstance(error, InstantiationException) and error.__cause__:
        return _failed_constructor(error)
    return _one_line(error)


def _unknown_key(key: str, command: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=2, cutoff=0.75)
    hint = (
        f"did you mean {' or '.join(close)}?" if close else f"glic {command} --cfg job shows what there is."
    )
    return f"there is no setting {key}; {hint}"


def _group_without_option(error: Exception, folder: Path, arguments: Sequence[str]) -> str | None:
    """For a group that is given null or a number instead of an option: Hydra does not say which."""
    if not str(error).startswith("Config group override must be"):
        return None
    for key, _, value in (argument.lstrip("+").partition("=") for argument in arguments):
        options = sorted(path.stem for path in (folder / key).glob("*.yaml")) if value else []
        if options and re.fullmatch(r"(?i)null|true|false|[-+.\d]+(e[-+]?\d+)?|\{.*\}", value):
            return f"{key}={value} is no option of the group; choose one of {', '.join(options)}."
    return None


def _several_values(key: str, values: str) -> str:
    return (
        f"{key}={values} is several values: a sweep over them takes -m, and no --cfg, --info or --help; "
        f"{key}=[{values}] is a list, {key}=\\'{values}\\' a text."
    )


def _known_keys(folder: Path, command: str, others: Sequence[str]) -> list[str]:
    """All keys of the configuration that the other overrides make, or of the default one."""
    with initialize_config_dir(str(folder), version_base="1.3"):
        for overrides in (list(others), []):
            try:
                return list(_flat_keys(OmegaConf.to_container(compose(command, overrides))))
            except (HydraException, OmegaConfBaseException):
                continue
    return []


def _flat_keys(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for name, inner in node.items():
            yield f"{path}{name}"
            yield from _flat_keys(inner, f"{path}{name}.")


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


def _failed_constructor(error: InstantiationException) -> str:
    """The constructor's own complaint, with the key of the object that could not be made."""
    for reason in _causes(error):
        if isinstance(reason, ModuleNotFoundError) and reason.name in _EXTRA_OF_MODULE:
            extra = _EXTRA_OF_MODULE[reason.name]
            return f"this needs the package {reason.name}: pip install 'glic-pyg[{extra}]'."
    where = re.search(r"^full_key: (.+)$", str(error), re.MULTILINE)
    return f"{where[1]}: {_one_line(error.__cause__)}" if where else _one_line(error.__cause__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    while error.__cause__:
        error = error.__cause__
        yield error


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
