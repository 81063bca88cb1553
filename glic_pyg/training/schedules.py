"""Learning rate, crop size and batch size as functions of the step."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple


class WarmupHoldDecay:
    r"""Linear warm-up, constant middle, then a cosine or linear descent to the end.

    With ``hold = 0`` it is the usual cosine schedule, with ``hold`` near 0.8 it is
    warm-up--stable--decay: most of the run at full rate, the gain of a small rate at the end.

    Args:
        total_steps: length of the run; the final factor is kept after it.
        warmup_steps: steps of the linear rise from 1 / warmup_steps to 1.
        hold: share of total_steps, counted from 0, up to which the factor stays 1.
        final: factor at the end.
        shape: ``"cosine"`` or ``"linear"``.
    """

    def __init__(
        self,
        total_steps: int,
        warmup_steps: int = 0,
        hold: float = 0.0,
        final: float = 0.0,
        shape: str = "cosine",
    ) -> None:
        if shape not in ("cosine", "linear"):
            raise ValueError(f"schedule shape must be cosine or linear, got {shape!r}.")
        if not 0 <= hold <= 1:
            raise ValueError(f"schedule hold is a share of the run, between 0 and 1, got {hold}.")
        if warmup_steps < 0:
            raise ValueError(f"schedule warmup_steps must not be negative, got {warmup_steps}.")
        if not 0 <= final < math.inf:
            raise ValueError(f"schedule final is a factor of at least 0, got {final}.")
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.decay_from = max(warmup_steps, round(hold * total_steps))
        self.final = final
        self.shape = shape

    def __call__(self, step: int) -> float:
        """Factor on the learning rate of the step that follows `step` finished ones."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if step <= self.decay_from:
            return 1.0
        progress = min(1.0, (step - self.decay_from) / max(1, self.total_steps - self.decay_from))
        fall = (1 - math.cos(math.pi * progress)) / 2 if self.shape == "cosine" else progress
        return 1 - (1 - self.final) * fall


class StepDrop:
    """Piecewise constant: the factor is multiplied at each drop, as in the published recipe.

    Args:
        total_steps: length of the run.
        drops: where the rate drops, in shares of the run, e.g. 5/6 for epoch 500 of 600.
        factor: what each drop multiplies the rate with.
    """

    def __init__(self, total_steps: int, drops: Sequence[float] = (), factor: float = 0.1) -> None:
        self.milestones = [round(share * total_steps) for share in drops]
        self.factor = factor

    def __call__(self, step: int) -> float:
        """Factor on the learning rate of the step that follows `step` finished ones."""
        return self.factor ** sum(step >= milestone for milestone in self.milestones)


class Stage(NamedTuple):
    """A stretch of the run in which nothing of the recipe changes.

    Attributes:
        number: place among the stages, from 0.
        start: its first step.
        rate: factor on the learning rate.
        crop: factor on the side of the crops.
        batch: factor on the batch size.
    """

    number: int
    start: int
    rate: float
    crop: float
    batch: float


class Stages:
    r"""A staged recipe, which the optimizer's schedule and the data module both read.

    It is a function of the step and has no state, so nobody has to tell anybody that a stage begins, and a
    resumed run is in the right stage by itself. Called with a step it gives the factor on the learning
    rate: it is a schedule like those in :mod:`glic_pyg.training.schedules`. The data module asks
    :meth:`at` for the factors on crop and batch.

    GLIC's published recipe is 500 epochs, 10 at a tenth of the rate, and 90 at twice the crop and a quarter
    of the batch, which take four times the steps: ``lengths=[500, 10, 360], rates=[1, 0.1, 0.1],
    crops=[1, 1, 2], batches=[1, 1, 0.25]``. Factors and relative lengths, and not pixels and steps, so that
    the same recipe serves a short run of small crops.

    Args:
        total_steps: length of the run.
        lengths: steps of the stages in any common unit; the run is divided in their proportion.
        rates: factor on the learning rate in each stage; 1 if not given.
        crops: factor on the side of the crops; 1 if not given.
        batches: factor on the batch size; 1 if not given.

    Raises:
        ValueError: the lists differ in length, or a number is not positive.
    """

    def __init__(
        self,
        total_steps: int,
        lengths: Sequence[float] = (1,),
        rates: Sequence[float] | None = None,
        crops: Sequence[float] | None = None,
        batches: Sequence[float] | None = None,
    ) -> None:
        count = len(lengths)
        columns = [list(column or [1.0] * count) for column in (lengths, rates, crops, batches)]
        if not count or any(len(column) != count for column in columns):
            raise ValueError(f"The lists of a staged recipe must be as long as lengths={list(lengths)}.")
        if any(value <= 0 for column in columns for value in column):
            raise ValueError("Lengths, rates, crops and batches of a staged recipe must be positive.")
        ends = list(accumulate(columns[0]))
        self.starts = [round(total_steps * end / ends[-1]) for end in (0, *ends[:-1])]
        self.factors = list(
            zip(*columns[1:], strict=True)
        )  # plain numbers, as schedulers go into checkpoints

    @property
    def stages(self) -> list[Stage]:
        """All of them."""
        rows = zip(self.starts, self.factors, strict=True)
        return [Stage(number, start, *factors) for number, (start, factors) in enumerate(rows)]

    def at(self, step: int) -> Stage:
        """The stage of the step that follows `step` finished ones; the last one goes on after the end."""
        return self.stages[bisect_right(self.starts, step) - 1]

    def __call__(self, step: int) -> float:
        """Factor on the learning rate of the step that follows `step` finished ones."""
        return self.at(step).rate
