"""Whether every value of a configuration is of the right kind, by the hints of the arguments it is for."""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from glic_pyg.errors import GlicError

__all__ = ["check_arguments", "check_value", "check_values"]

Hint: TypeAlias = Any

_OF_TRAINING: dict[str, Hint] = {
    "name": str | float,
    "steps": int,
    "seed": int,
    "threads": int | None,
    "objective": str | None,
    "ckpt_path": str | None,
    "start_from": str | None,
    "grow_from": str | None,
    "paths.data": str,
    "paths.runs": str,
}
"""Settings of a training that are no arguments themselves."""
_GROUPS_OF_OBJECTS = ("callbacks", "logger")
_LEAST = {"steps": 1, "seed": 0, "max_pixels": 1, "trainer.val_check_interval": 1}
_MOST = {"seed": 2**32 - 1}
_WORDS: dict[Hint, tuple[str, str]] = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    Path: ("a text", "texts"),
    type(None): ("null", "null"),
}
"""Kinds that can be typed: one of them, several of them."""
_REFERENCE = re.compile(r"^\$\{([\w.]+)\}$")
_OBJECT = ("an object with its _target_", "objects with their _target_")
_SEQUENCES = (list, tuple, Sequence)


def check_value(key: str, value: Any, hint: Hint) -> None:
    """Refuse a value that is of another kind than its hint, or outside of what the setting takes.

    Raises:
        GlicError: it is.
    """
    plain = (
        OmegaConf.to_container(value, resolve=True) if isinstance(value, DictConfig | ListConfig) else value
    )
    if not _fits(plain, hint) or (plain == "" and key in _OF_TRAINING):
        raise GlicError(f"{key} must be {_allowed(hint)}, not {_typed(plain)}.")
    if isinstance(plain, int | float) and not isinstance(plain, bool):
        low, high = _LEAST.get(key, -math.inf), _MOST.get(key, math.inf)
        if not low <= plain <= high:
            limits = f"at least {low}" if high == math.inf else f"from {low} to {high}"
            raise GlicError(f"{key} must be {limits}, not {_typed(plain)}.")


def check_values(cfg: DictConfig) -> None:
    """Refuse the first value of a training's configuration that is of the wrong kind.

    Raises:
        GlicError: there is one; with the setting, the value and what is allowed.
    """
    for key, hint in _OF_TRAINING.items():
        check_value(key, OmegaConf.select(cfg, key), hint)
    for key, hint, value in _arguments(cfg):
        check_value(key, value, hint)
    for group in _GROUPS_OF_OBJECTS:
        for name, part in cfg[group].items():
            if part is not None and not (isinstance(part, DictConfig) and "_target_" in part):
                raise GlicError(f"{group}.{name} must be {_OBJECT[0]} or null, not {_typed(part)}.")


def check_arguments(values: Mapping[str, Any], function: Callable[..., Any], **names: Hint) -> None:
    """The same for the arguments of a function.

    Args:
        values: by the names of the arguments.
        function: has hints for them.
        names: types that the hints name and that are not imported where the function is.

    Raises:
        GlicError: a value is of the wrong kind.
    """
    hints = dict(_hints(function, names))
    for key, value in values.items():
        check_value(key, value, hints.get(key, Any))


def _arguments(node: Any, path: str = "") -> Iterator[tuple[str, Hint, Any]]:
    """Key, hint and value of each argument of each object; the key of a reference is the one it leads to."""
    if not isinstance(node, DictConfig):
        return
    hints = dict(_hints_of_target(node.get("_target_")))
    for name in map(str, node):
        key = f"{path}{name}"
        if OmegaConf.is_missing(node, name):
            continue
        value, reference = node[name], OmegaConf.is_interpolation(node, name)
        if reference:
            written: Any = OmegaConf.to_container(node, resolve=False)
            key = _REFERENCE.sub(r"\1", written[name])
        if name in hints and not (isinstance(value, DictConfig) and "_target_" in value):
            yield key, hints[name], value
        if not reference:
            yield from _arguments(value, f"{key}.")


def _hints_of_target(target: Any) -> Iterator[tuple[str, Hint]]:
    try:
        found = get_object(target) if target else None
    except Exception:  # not installed, or not there: told when it is made
        return
    if found is not None:
        yield from _hints(found.__init__ if inspect.isclass(found) else found, {})


def _hints(function: Callable[..., Any], names: Mapping[str, Hint]) -> Iterator[tuple[str, Hint]]:
    """Name and hint of each argument, but for hints that are imported for type checkers only."""
    function = inspect.unwrap(function)
    space = {**getattr(function, "__globals__", {}), **names}
    for name, hint in getattr(function, "__annotations__", {}).items():
        try:
            yield name, eval(hint, space) if isinstance(hint, str) else hint  # as typing.get_type_hints does
        except Exception:
            continue


def _fits(value: Any, hint: Hint) -> bool:
    origin, inner = _origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin in _SEQUENCES:
        if not isinstance(value, list | tuple):
            return False
        hints = inner if origin is tuple and Ellipsis not in inner else (*inner, Any)[:1] * len(value)
        return len(hints or value) == len(value) and all(map(_fits, value, hints))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, Path):
        return isinstance(value, str | Path)
    if hint in (bool, type(None), None):
        return isinstance(value, bool if hint is bool else type(None))
    if _is_mapping(origin):
        return isinstance(value, Mapping)
    if hint not in (Any, object) and inspect.isclass(origin):
        return not isinstance(value, bool | int | float | str | list | None)
    return True


def _is_mapping(hint: Hint) -> bool:
    return inspect.isclass(hint) and issubclass(hint, Mapping)


def _allowed(hint: Hint, number: int = 0) -> str:
    """What a hint stands for, in words: one of it, or, with number=1, several."""
    alternatives = _alternatives(hint)
    literals = [
        str(value) for one in alternatives if _origin(one) is Literal for value in typing.get_args(one)
    ]
    words = [f"one of {', '.join(dict.fromkeys(literals))}"] if literals else []
    words += [_in_words(one, number) for one in alternatives if _origin(one) is not Literal]
    words = list(dict.fromkeys(words))
    if set(words) - {_OBJECT[number], "null"}:  # what can be typed is enough of a hint
        words = [word for word in words if word != _OBJECT[number]]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _alternatives(hint: Hint) -> list[Hint]:
    """The members of a union, null last."""
    if _origin(hint) not in (typing.Union, types.UnionType):
        return [hint]
    found = [one for part in typing.get_args(hint) for one in _alternatives(part)]
    return sorted(found, key=lambda one: one is type(None))


def _in_words(hint: Hint, number: int) -> str:
    origin, inner = _origin(hint), typing.get_args(hint)
    if origin in _SEQUENCES:
        count = f"{len(inner)} " if origin is tuple and Ellipsis not in inner and inner else ""
        what = f" of {count}{_allowed(inner[0], 1)}" if inner else ""
        return f"{('a list', 'lists')[number]}{what}"
    if _is_mapping(origin):
        return ("a group of settings", "groups of settings")[number]
    return _WORDS.get(hint, _OBJECT)[number]


def _origin(hint: Hint) -> Any:
    """What a hint with arguments is of; a plain one is of itself."""
    return typing.get_origin(hint) or hint


def _typed(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_typed, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value}'" if value == "" else str(value)
