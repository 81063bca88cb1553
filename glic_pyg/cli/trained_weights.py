"""The weights that are meant by a file, a run's folder or a sweep's, and a name for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glic_pyg.errors import WeightsNotFound

__all__ = ["find_weights", "title_of"]

_LMBDA = "loss.lmbda="


def find_weights(given: str | Sequence[str]) -> list[Path]:
    """Weights files, in the order in which they are named.

    Args:
        given: a weights file, a folder (all weights files in it and below), or several of these.

    Raises:
        WeightsNotFound: there is none.
    """
    found: list[Path] = []
    for path in map(Path, [given] if isinstance(given, str) else given):
        below = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        if not below:
            raise WeightsNotFound(f"There are no weights in {path}: no run has validated there yet.")
        found += below
    return found


def title_of(path: Path) -> str:
    """What to call weights beside others: the file's name, or the run's, if a run made them.

    The weights of a sweep's jobs are told apart by what was swept, with λ at the end, so that equal settings
    are one curve: ``loss.lmbda=0.0035,seed=1/glic_xs.safetensors`` is ``glic_xs,seed=1-0.0035``.
    """
    name, run = path.name.removesuffix(".safetensors"), path.absolute().parent
    if not (run / ".hydra").is_dir():
        return name
    swept = run.name.split(",")
    if not all("=" in setting for setting in swept):
        return run.name
    lmbda = [f"-{setting.removeprefix(_LMBDA)}" for setting in swept if setting.startswith(_LMBDA)]
    return ",".join([name, *(s for s in swept if not s.startswith(_LMBDA))]) + "".join(lmbda)
