"""How the codec and the source model take turns."""

from collections.abc import Callable
from dataclasses import dataclass

from glic_pyg.errors import TrainingError


@dataclass(frozen=True)
class Alternation:
    """The source model's share in every step (arXiv 2411.16727; GAN-style, its details are not known to us).

    On each batch the codec takes one step with theta frozen, and theta takes its own on the reconstructions
    that the codec has just made, detached.

    Args:
        source_steps: steps of theta on a batch.
        every: theta learns from every so many batches only. With ``source_steps`` this gives any ratio.
        source_first: theta learns before the codec does, from the same reconstructions. The default, the
            codec first, is the published order, as far as a secondary text tells.
        clip_norm: largest 2-norm of theta's gradient.
        schedule: factor on theta's learning rate as a function of the step; None: that of the codec.
    """

    source_steps: int = 1
    every: int = 1
    source_first: bool = False
    clip_norm: float = 1.0
    schedule: Callable[[int], float] | None = None

    def __post_init__(self) -> None:
        if self.source_steps < 1 or self.every < 1:
            raise TrainingError(
                f"theta takes at least 1 step and learns from every batch or fewer, not source_steps="
                f"{self.source_steps} and every={self.every}; without a source model there is no regularizer."
            )

    def source_learns(self, step: int) -> bool:
        """Whether theta has its turn in the step that follows `step` finished ones."""
        return step % self.every == 0
