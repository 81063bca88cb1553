"""Learning-rate schedules: factors on the base rate as functions of the step."""

import math
from collections.abc import Sequence


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
