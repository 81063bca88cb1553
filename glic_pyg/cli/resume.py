"""Resuming a run: from which checkpoint, and which settings may differ from those it was made with."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict

from glic_pyg.cli.run_folder import RunFolderError, is_first_process
from glic_pyg.errors import GlicError

__all__ = [
    "MAY_CHANGE",
    "SETTINGS",
    "find_checkpoint",
    "forget_former_settings",
    "refuse_changes",
    "resolved",
]

log = logging.getLogger(__name__)

SETTINGS = "hyper_parameters"
"""Where Lightning keeps what a module was made with; here it is the whole configuration of the run."""

MAY_CHANGE = (
    "name",
    "ckpt_path",
    "steps",  # the schedule follows
    "threads",
    "objective",
    "paths",
    "logger",
    "trainer",
    "callbacks",
    "data.root",  # the images may move; what they are is held against the checkpoint by the data module
    "data.val_root",
    "data.val_limit",
    "data.keep",
    "data.cache",
    "data.num_workers",
    "module.micro_batches",
    "module.max_skipped",
    "module.val_qualities",
)
"""Settings, and groups of them, that say where and how fast a run computes and what it tells."""

_FORMER = ("module.psnr", "module.ms_ssim")  # validation was told how to measure; now it imports the metrics
_NOT_OF_THESE = ("callbacks.export.card",)  # what the weights say of themselves
_SHOWN = 3
_UNSET = object()


def find_checkpoint(wanted: str | None, last: Path) -> Path | None:
    """The checkpoint to start from.

    Args:
        wanted: ``last``, a file, or None for a new run.
        last: the newest checkpoint of the run's folder. If it is damaged, it is renamed, and the one that was
            saved before it is taken.

    Returns:
        None for a new run.

    Raises:
        GlicError: a new run would overwrite an old one, or there is no such checkpoint, or it is damaged.
    """
    from glic_pyg.training.callbacks.checkpoint import CheckpointError, previous_of, verify_checkpoint

    previous = previous_of(last)
    there = next((path for path in (last, previous) if path.exists()), None)
    if (
        there
        and wanted != "last"
        and not (wanted and Path(wanted).absolute().parent == last.absolute().parent)
    ):
        raise RunFolderError(f"{there} exists already: go on with ckpt_path=last, or choose another name=...")
    if wanted != "last":
        return None if wanted is None else Path(wanted)
    if not last.exists():
        return there
    try:
        verify_checkpoint(last)
    except CheckpointError as error:
        try:
            verify_checkpoint(previous)
        except CheckpointError:
            raise GlicError(f"{error} Choose another name=..., and begin anew.") from error
        aside = last.with_name(f"{last.stem}-damaged{last.suffix}")
        log.warning("%s It is now %s, and the run goes on from %s.", error, aside, previous)
        if is_first_process():
            last.replace(aside)
        return previous
    return last


def forget_former_settings(cfg: DictConfig) -> None:
    """Drop settings that former versions had and that say nothing any more."""
    with open_dict(cfg):
        for key in _FORMER:
            group, _, name = key.rpartition(".")
            (OmegaConf.select(cfg, group) or {}).pop(name, None)


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """A configuration as plain numbers, texts, lists and dictionaries, without references."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    return dict(plain)


def refuse_changes(cfg: DictConfig, state: Mapping[str, Any], checkpoint: Path) -> None:
    """Compare the settings of a run with those of the checkpoint it is to go on from.

    Args:
        cfg: of the run.
        state: what is in the checkpoint.
        checkpoint: its path.

    Raises:
        GlicError: a setting differs that may not, or the run has fewer steps than have been done.
    """
    done, limit = state["global_step"], cfg.trainer.max_steps
    if done > limit:
        raise GlicError(
            f"{checkpoint} has {done} steps behind it, more than steps={limit}: set steps to {done} or more."
        )
    if not (before := state.get(SETTINGS)):
        log.warning(
            "%s does not tell which settings it was made with; those given are taken for them", checkpoint
        )
        return
    if changes := _changes(cfg, before):
        first = ", ".join(f"{key}={_text(old)} (not {_text(new)})" for key, (old, new) in changes[:_SHOWN])
        more = f", and {len(changes) - _SHOWN} more settings differ" if len(changes) > _SHOWN else ""
        raise GlicError(
            f"{checkpoint} was made with {first}{more}; a run that goes on keeps its settings: leave them, "
            f"or begin a new run with these weights, name=... start_from={checkpoint}."
        )


def _changes(cfg: DictConfig, before: Mapping[str, Any]) -> list[tuple[str, tuple[Any, Any]]]:
    """Settings that differ and may not, with old and new value.

    All other settings are compared at the old number of steps, so that those which follow it do not count. Of
    a value that others refer to, the first is told.
    """
    alike = copy.deepcopy(cfg)
    alike.steps = before.get("steps", cfg.steps)
    old, new = dict(_flat(before)), dict(_flat(resolved(alike)))
    keys = [key for key in dict.fromkeys((*new, *old)) if not _may_change(key)]
    values = {key: (old.get(key, _UNSET), new.get(key, _UNSET)) for key in keys}
    found = {key: (one, other) for key, (one, other) in values.items() if not _same(alike, key, one, other)}
    direct = [item for item in found.items() if not _is_reference(cfg, item[0])]
    return direct or list(found.items())


def _same(cfg: DictConfig, key: str, old: Any, new: Any) -> bool:
    """Whether two values mean the same; one that is not set, perhaps by another version, is its default."""
    if _UNSET in (old, new):
        default = _default(cfg, key)
        old, new = (default if value is _UNSET else value for value in (old, new))
    if all(isinstance(value, str) and value.startswith("glic_pyg.") for value in (old, new)):
        return bool(old.rpartition(".")[2] == new.rpartition(".")[2])  # our classes and functions may move
    return bool(_lists(old) == _lists(new))


def _default(cfg: DictConfig, key: str) -> Any:
    """The default of the argument that a setting is."""
    parent, _, name = key.rpartition(".")
    target = OmegaConf.select(cfg, f"{parent}._target_") if parent else None
    try:
        argument = inspect.signature(get_object(target)).parameters[name] if target else None
    except Exception:  # nothing that tells its arguments
        return _UNSET
    return _UNSET if argument is None or argument.default is inspect.Parameter.empty else argument.default


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _flat(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no dictionary, or an empty one, by its dotted key."""
    for name, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _may_change(key: str) -> bool:
    return _below(key, (*MAY_CHANGE, *_FORMER)) and not _below(key, _NOT_OF_THESE)


def _below(key: str, groups: tuple[str, ...]) -> bool:
    return any(key == group or key.startswith(f"{group}.") for group in groups)


def _is_reference(cfg: DictConfig, key: str) -> bool:
    """Whether a value, or a group that it is in, is a reference to another."""
    node: Any = cfg
    for part in key.split("."):
        if not isinstance(node, DictConfig) or part not in node:
            return False
        if OmegaConf.is_interpolation(node, part):
            return True
        node = node[part]
    return False


def _text(value: Any) -> str:
    """A value as it is typed."""
    if value is _UNSET:
        return "unset"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
