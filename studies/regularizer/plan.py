"""The grid of runs: what is trained from what, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf

from glic_pyg.regularizer.regularizer import equivalent_lmbda

__all__ = ["Kind", "Run", "Study", "plan", "read_study"]


Kind = Literal["base", "plain", "regularized", "control"]


@dataclass(frozen=True)
class Study:
    """The settings of ``study.yaml``.

    Attributes:
        seeds: of weights, crops and noise.
        alphas: above 0.
        batch_size, crop: of all runs.
        images: how many training images are used.
        side: of the measured centre crops, in pixels.
        limit: most test images of a set.
        codecs: settings by name: ``model``, ``source``, ``lmbdas``, ``lr``,
            ``source_lr``, ``steps`` and ``start``.
    """

    seeds: Sequence[int]
    alphas: Sequence[float]
    batch_size: int
    crop: int
    images: int
    side: int
    limit: int
    codecs: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        codec: name in :attr:`Study.codecs`.
        seed: see :attr:`Study.seeds`.
        lmbda: of its point of the curve; see :attr:`trained_lmbda`.
        kind: the others start from ``"base"`` runs, which are not compared themselves.
        alpha: of the regularized run; of the control, the alpha that it imitates.
        parent: name of the run whose weights this one starts from; ``None``: from scratch.
        steps: length.
    """

    codec: str
    seed: int
    lmbda: float
    kind: Kind
    alpha: float
    parent: str | None
    steps: int

    @property
    def name(self) -> str:
        """Unique name, also of the files."""
        alpha = f"-a{self.alpha:g}" if self.alpha else ""
        return f"{self.codec}-s{self.seed}-l{self.lmbda:g}-{self.kind}{alpha}"

    @property
    def trained_lmbda(self) -> float:
        """The λ in the loss: the control's is λ / (1 + α)."""
        return equivalent_lmbda(self.lmbda, self.alpha) if self.kind == "control" else self.lmbda

    @property
    def draws(self) -> int:
        """Seed of crops and noise: the same for all branches, another one for their base."""
        return 2 * self.seed + (self.kind != "base")


def read_study(path: Path, steps: int | None = None) -> Study:
    """The settings in a file.

    Args:
        path: see ``study.yaml``.
        steps: of every run, overriding those of the file.
    """
    settings: Any = OmegaConf.to_container(OmegaConf.load(path))
    if steps is not None:
        for codec in settings["codecs"].values():
            codec["steps"] = dict.fromkeys(codec["steps"], steps)
    return Study(**settings)


def plan(study: Study) -> list[Run]:
    """All runs, each after its parent: a base for every codec, seed and λ, from it all branches."""
    return [
        run
        for codec, settings in study.codecs.items()
        for seed in study.seeds
        for lmbda in settings["lmbdas"]
        for run in _base_and_branches(study, codec, seed, lmbda)
    ]


def _base_and_branches(study: Study, codec: str, seed: int, lmbda: float) -> list[Run]:
    """The base, then plain training and for each α the regularized run and its control, all from it."""
    steps = study.codecs[codec]["steps"]
    base = Run(codec, seed, lmbda, "base", 0.0, None, steps["base"])
    kinds: list[tuple[Kind, float]] = [("plain", 0.0)]
    kinds += [(kind, alpha) for alpha in study.alphas for kind in ("regularized", "control")]
    return [
        base,
        *(Run(codec, seed, lmbda, kind, alpha, base.name, steps["branch"]) for kind, alpha in kinds),
    ]
