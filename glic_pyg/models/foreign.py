"""Which of CompressAI's models a checkpoint seems to be of."""

from __future__ import annotations

import inspect
from functools import cache

import compressai.models  # noqa: F401  registers them
from compressai.registry import MODELS
from torch import nn

from glic_pyg.models.building import unfilled

__all__ = ["looks_like"]

_ALIKE = 0.9
_SIZES = {"N": 8, "M": 192}


def looks_like(names: set[str]) -> list[str]:
    """CompressAI's names of the models whose parameters have these names, or nearly; none, one or several.

    Args:
        names: of parameters, as CompressAI writes them today.
    """
    scores = {name: len(names & own) / max(1, len(names | own)) for name, own in _models().items()}
    best = max(scores.values())
    return [name for name, score in scores.items() if score == best >= _ALIKE]


@cache
def _models() -> dict[str, set[str]]:
    """Every model that CompressAI registers and this machine can build, with the names of its parameters."""
    found = {}
    for name, kind in MODELS.items():
        sizes = {key: size for key, size in _SIZES.items() if key in inspect.signature(kind).parameters}
        try:
            with unfilled():
                model: nn.Module = kind(**sizes)
        except Exception:  # one for point clouds wants a GPU, another an option
            continue
        found[name] = {parameter for parameter, _ in model.named_parameters()}
    return found
