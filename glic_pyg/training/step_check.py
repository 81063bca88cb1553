"""What happens to a step whose numbers are not finite: it is skipped, and the culprit is named."""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from glic_pyg.training.shards import own_part

log = logging.getLogger(__name__)


class StepCheck:
    """Counts the steps that had to be skipped, and ends the run when too many come in a row.

    Args:
        max_skipped: after so many bad steps in a row the run ends.
    """

    def __init__(self, max_skipped: int) -> None:
        self.max_skipped = max_skipped
        self.skipped_in_a_row = 0

    def passed(self) -> None:
        """The step was good."""
        self.skipped_in_a_row = 0

    def skip(self, step: int, culprit: str, pictures: Sequence[str]) -> None:
        """The step was not.

        Args:
            step: its number.
            culprit: name of the first tensor that is not finite.
            pictures: what the batch was made of; if unknown, its number is told.

        Raises:
            FloatingPointError: too many in a row.
        """
        self.skipped_in_a_row += 1
        batch = f"batch of {', '.join(pictures)}" if pictures else f"batch {step}"
        log.warning("step %d skipped: %s is not finite (%s)", step, culprit, batch)
        if self.skipped_in_a_row >= self.max_skipped:
            raise FloatingPointError(
                f"{culprit} was not finite in step {step} ({batch}), the last of {self.skipped_in_a_row} bad "
                "steps in a row; the checkpoint of before is intact: lower the learning rate or train in "
                "float32."
            )


def first_not_finite(values: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]) -> str:
    """Name the first tensor that holds an infinity or a NaN.

    Args:
        values: what the step computed, in the order of computing.
        parameters: whose gradients are looked at after that, in the order of the forward pass.
    """
    for name, value in values.items():
        if not torch.isfinite(value).all():
            return name
    for name, parameter in parameters.items():
        if parameter.grad is not None and not torch.isfinite(own_part([parameter.grad])[0]).all():
            return f"the gradient of {name}"
    return "the norm of the gradient"
