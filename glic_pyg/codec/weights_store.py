"""Finds and loads weights: those shipped inside the package by name, others by path."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from os import PathLike
from pathlib import Path

from glic_pyg.errors import WeightsNotFound
from glic_pyg.models.base import Codec
from glic_pyg.models.loading import load_model
from glic_pyg.models.weights import former_hash, read_card, weights_hash

__all__ = [
    "DEFAULT_NAME",
    "Weights",
    "default_name",
    "load_from_path",
    "load_shipped",
    "shipped_names",
    "weights_file",
    "weights_of_name",
]


DEFAULT_NAME = "glic_s4"
"""Default weights of ``glic encode``: a size that is quick on a CPU, for every rate.
Files name the weights they need, so a change here affects new files only."""

_SUFFIX = ".safetensors"
_SUFFIXES = (_SUFFIX, ".tar", ".pth", ".pt", ".ckpt")
_CHECKPOINTS = ("last", "last-previous")


@dataclass(frozen=True)
class Weights:
    """A model with trained weights, and their name and hash in files.

    Attributes:
        name: the file's name without its suffix.
        hash: SHA-256 of the weights, hex.
        model: in eval mode, on the CPU.
        former_hash: their hash in files of earlier versions, if it differs.
    """

    name: str
    hash: str
    model: Codec
    former_hash: str | None = None


def shipped_names() -> tuple[str, ...]:
    """Names of the weights inside the package, in alphabetical order."""
    folder = _folder()
    if not folder.is_dir():
        return ()
    return tuple(sorted(p.name.removesuffix(_SUFFIX) for p in folder.iterdir() if p.name.endswith(_SUFFIX)))


def default_name() -> str:
    """Return the name of the weights to encode with by default, :data:`DEFAULT_NAME`.

    Raises:
        WeightsNotFound: this installation lacks them.
    """
    if DEFAULT_NAME not in shipped_names():
        raise WeightsNotFound(
            f"This installation lacks its default weights '{DEFAULT_NAME}'; "
            "name others with --model (model=), or give a file with --weights (weights=)."
        )
    return DEFAULT_NAME


def load_shipped(name: str) -> Weights:
    """Load shipped weights and check them against their card.

    Raises:
        WeightsNotFound: there are none of that name (the message lists what there is), or they are damaged.
    """
    names = shipped_names()
    if name not in names:
        there = f"it ships {', '.join(names)}" if names else "it ships none"
        raise WeightsNotFound(
            f"This installation has no weights '{name}' ({there}); give a file with --weights (weights=)."
        )
    path = _folder() / (name + _SUFFIX)
    try:
        weights = load_from_path(path)
        problem = "" if read_card(path).get("weights_hash") == weights.hash else "their hash is another"
    except WeightsNotFound as error:
        problem = str(error)
    if problem:
        raise WeightsNotFound(f"The weights '{name}' are damaged, reinstall glic-pyg ({problem}).")
    return weights


def weights_of_name(given: str | PathLike[str]) -> Path:
    """Return the file of shipped weights if that is what is named and no such file exists, else the path."""
    path = Path(given)
    shipped = _folder() / f"{given}{_SUFFIX}"
    return shipped if not path.exists() and str(given) in shipped_names() else path


def weights_file(given: str | PathLike[str]) -> Path:
    """Resolve a path to a weights file: itself, or the weights in the folder of a run.

    Raises:
        WeightsNotFound: the folder holds none, or several.
    """
    path = Path(given)
    if not path.is_dir():
        return path
    found = [file for file in sorted(path.glob("*" + _SUFFIX)) if not file.name.startswith(".")]
    found = found or [file for file in (path / "last.ckpt",) if file.is_file()]
    if not found:
        deeper = [str(file) for file in sorted(path.rglob("*" + _SUFFIX))[:3]]
        hint = f"name one of those below it, e.g. {', '.join(deeper)}" if deeper else "give another"
        raise WeightsNotFound(f"There are no weights in the folder {path}; {hint}.")
    if len(found) > 1:
        raise WeightsNotFound(
            f"The folder {path} holds several weights; name one: {', '.join(file.name for file in found)}."
        )
    return found[0]


def load_from_path(path: Path) -> Weights:
    """Load a weights file, a released checkpoint, or the weights in the folder of a run.

    Raises:
        WeightsNotFound: there is no such file, or it holds no weights; the message says what is wrong.
    """
    path = weights_file(path)
    try:
        model = load_model(path)
    except (OSError, ValueError) as error:
        raise WeightsNotFound(f"Cannot use the weights: {error}") from error
    return Weights(_name_of(path), weights_hash(model), model, former_hash(model))


def _name_of(path: Path) -> str:
    """A file's name without suffixes; for a run's checkpoint, the run's name."""
    name = path.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return path.absolute().parent.name if name in _CHECKPOINTS else name


def _folder() -> Path:
    return Path(str(files("glic_pyg"))) / "weights"
