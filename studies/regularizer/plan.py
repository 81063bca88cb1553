"""The grid of runs: what is trained from what, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf

from glic_pyg.regularizer.regularizer import equivalent_lmbda

__all__ = ["Kind", "Run", "Study", "plan", "read_study"]


Kind = Literal["base", "source", "plain", "regularized", "control"]
"""A base trains the codec, a source run q_theta while that stands still; the others branch off there."""


@dataclass(frozen=True)
class Study:
    """The settings of ``study.yaml``.

    Attributes:
        seeds: of the branches' crops and noise.
        batch_size, crop: of all runs.
        images: how many training images are used.
        side: of the measured centre crops, in pixels.
        limit: most test images of a set.
        codecs: settings by name: ``source``, ``lmbdas`` (a model each), ``alphas`` (above 0), ``lr``,
            ``source_lr`` and ``steps``; ``model`` and ``start``, or ``start_from``, the name of shipped
            weights instead of a base; for a model of every rate also ``qualities`` to measure at and
            ``balance``.
    """

    seeds: Sequence[int]
    batch_size: int
    crop: int
    images: int
    side: int
    limit: int
    codecs: Mapping[str, Mapping[str, Any]]

    def alphas(self, codec: str) -> Sequence[float]:
        """The strengths that a codec is regularized with."""
        alphas: Sequence[float] = self.codecs[codec]["alphas"]
        return alphas

    def qualities(self, codec: str) -> Sequence[float | None]:
        """At which a run is measured; ``None`` for a model of one rate."""
        qualities: Sequence[float | None] = self.codecs[codec].get("qualities", (None,))
        return qualities


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        codec: name in :attr:`Study.codecs`.
        seed: see :attr:`Study.seeds`; 0 for bases and source runs, which the branches of all seeds share.
        lmbda: of its model, for a model of every rate that of the middle; see :attr:`trained_lmbda`.
        kind: see :data:`Kind`.
        alpha: of the regularized run; of the control, the alpha that it imitates.
        parent: name of the run whose weights this one starts from; ``None``: from none.
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
    def is_branch(self) -> bool:
        """Whether it is compared with others."""
        return self.kind not in ("base", "source")

    @property
    def trained_lmbda(self) -> float:
        """The λ in the loss: the control's is λ / (1 + α)."""
        return equivalent_lmbda(self.lmbda, self.alpha) if self.kind == "control" else self.lmbda

    @property
    def draws(self) -> int:
        """Seed of crops and noise: the same for all branches of a seed, others for what they begin with."""
        return {"base": 0, "source": 1}.get(self.kind, 2 + self.seed)


def read_study(path: Path, steps: int | None = None) -> Study:
    """The settings in a file.

    Args:
        path: see ``study.yaml``.
        steps: of every run, overriding those of the file.
    """
    settings: Any = OmegaConf.to_container(OmegaConf.load(path))
    if steps is not None:
        for codec in settings["codecs"].values():
            codec["steps"] = {kind: min(steps, given) for kind, given in codec["steps"].items()}
    return Study(**settings)


def plan(study: Study) -> list[Run]:
    """All runs, each after its parent: for every codec and λ a base, its q_theta, and all branches."""
    return [
        run
        for codec, settings in study.codecs.items()
        for lmbda in settings["lmbdas"]
        for run in _of_one_model(study, codec, lmbda)
    ]


def _of_one_model(study: Study, codec: str, lmbda: float) -> list[Run]:
    """Base and q_theta, then for each seed a plain run, and for each α a regularized one and its control."""
    steps = study.codecs[codec]["steps"]
    runs = [] if steps["base"] == 0 else [Run(codec, 0, lmbda, "base", 0.0, None, steps["base"])]
    source = Run(codec, 0, lmbda, "source", 0.0, runs[0].name if runs else None, steps["source"])
    kinds: list[tuple[Kind, float]] = [("plain", 0.0)]
    kinds += [(kind, alpha) for alpha in study.alphas(codec) for kind in ("regularized", "control")]
    return [
        *runs,
        source,
        *(
            Run(codec, seed, lmbda, kind, alpha, source.name, steps["branch"])
            for seed in study.seeds
            for kind, alpha in kinds
        ),
    ]
