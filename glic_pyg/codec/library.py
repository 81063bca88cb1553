"""Which weights: the ones shipped inside the package, found by name, or a file the user gives."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from glic_pyg.errors import WeightsMismatch, WeightsNotFound
from glic_pyg.models.base import Codec
from glic_pyg.models.released import load_released
from glic_pyg.models.weights import load_weights, read_card, weights_hash

__all__ = ["DEFAULT_NAME", "Weights", "default_name", "load_from_path", "load_shipped", "shipped_names"]

DEFAULT_NAME = "glic_s"
"""What ``glic encode`` uses where nothing is named: a size that is quick on a CPU, for every rate.
Files name the weights they need, so that another choice here changes new files only."""

_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Weights:
    """A model with trained weights, and what files call it.

    Attributes:
        name: the file's name without its suffix.
        hash: SHA-256 of the weights, hex.
        model: in eval mode, on the CPU.
    """

    name: str
    hash: str
    model: Codec


def shipped_names() -> tuple[str, ...]:
    """Names of the weights inside the package, in alphabetical order."""
    folder = _folder()
    if not folder.is_dir():
        return ()
    return tuple(sorted(p.name.removesuffix(_SUFFIX) for p in folder.iterdir() if p.name.endswith(_SUFFIX)))


def default_name() -> str:
    """The weights to encode with when none are named, :data:`DEFAULT_NAME`.

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
    """Load weights of the package.

    Raises:
        WeightsNotFound: there are none of that name; the message lists what there is.
    """
    names = shipped_names()
    if name not in names:
        there = f"it ships {', '.join(names)}" if names else "it ships none"
        raise WeightsNotFound(
            f"This installation has no weights '{name}' ({there}); give a file with --weights (weights=)."
        )
    return load_from_path(_folder() / (name + _SUFFIX))


def load_from_path(path: Path) -> Weights:
    """Load a ``.safetensors`` file of this project, or a checkpoint as the authors released it.

    Raises:
        WeightsNotFound: there is no such file, or it holds no weights; the message says what is wrong.
    """
    try:
        model = load_weights(path) if path.suffix == _SUFFIX else load_released(path)
    except (FileNotFoundError, ValueError) as error:
        raise WeightsNotFound(f"Cannot use the weights: {error}") from error
    name = path.name.removesuffix(_SUFFIX).removesuffix(".pth.tar")
    return Weights(name, weights_hash(model), model)


def check_shipped(name: str) -> str:
    """Load shipped weights and return their hash.

    Raises:
        WeightsNotFound: they cannot be loaded.
        WeightsMismatch: their card states another ``weights_hash``.
    """
    weights = load_shipped(name)
    stated = read_card(_folder() / (name + _SUFFIX)).get("weights_hash", weights.hash)
    if stated != weights.hash:
        raise WeightsMismatch(
            f"The hash {weights.hash[:16]} is not the {stated[:16]} on the card; reinstall."
        )
    return weights.hash


def _folder() -> Path:
    return Path(str(files("glic_pyg"))) / "weights"
