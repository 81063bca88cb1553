"""Several optimizers that take turns on one batch, in Lightning, where one batch remains one step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import lightning
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from glic_pyg.errors import TrainingError
from glic_pyg.training.optimizer_turn import OptimizerTurn, Part
from glic_pyg.training.parameter_groups import Parameters
from glic_pyg.training.step_check import StepCheck

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
Schedule = Callable[[int], float]
SCALERS = "scalers"


class Learner(NamedTuple):
    """A group of parameters and how it learns.

    Attributes:
        parameters: by name.
        optimizer: makes the group's optimizer.
        schedule: factor on its learning rate as a function of the step.
        clip_norm: largest 2-norm of its gradient; None does not clip.
        lr_scales: factors on the learning rate of parameters whose names match a pattern of :mod:`fnmatch`;
            the first pattern that matches counts.
    """

    parameters: Parameters
    optimizer: OptimizerFactory
    schedule: Schedule
    clip_norm: float | None
    lr_scales: Mapping[str, float] = {}


class TurnTaking(lightning.LightningModule):
    """Manual optimization in turns.

    Lightning counts each call of a wrapped optimizer's ``step`` in ``trainer.global_step``. Only the first
    learner steps through its wrapper, once a batch. So ``global_step`` is the number of batches, and
    checkpoints, logs and schedules count the same.

    A subclass says who learns (:meth:`learners`). Its ``training_step`` gives each a turn between
    :meth:`begin_step` and :meth:`end_step`.

    Args:
        max_skipped: see :class:`StepCheck`.
    """

    def __init__(self, max_skipped: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.check = StepCheck(max_skipped)
        self.turns: dict[str, OptimizerTurn] = {}
        self._scaler_states: dict[str, Any] = {}

    def learners(self) -> dict[str, Learner]:
        """The groups by name, the one whose steps are counted first."""
        raise NotImplementedError

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        """An optimizer and a schedule for each learner."""
        self.turns = {}
        schedulers = []
        for name, learner in self.learners().items():
            optimizer = _optimizer(learner)
            schedulers.append(LambdaLR(optimizer, _stateless(learner.schedule)))
            counted = not self.turns
            self.turns[name] = OptimizerTurn(self, optimizer, learner.parameters, learner.clip_norm, counted)
            self.turns[name].scaler.load_state_dict(self._scaler_states.get(name, {}))
        return [turn.optimizer for turn in self.turns.values()], schedulers

    def on_fit_start(self) -> None:
        """Refuse what would go wrong silently.

        Raises:
            TrainingError: DDP does not look for the parameters that are not in a turn. It would then wait for
                their gradients, and not exchange the others.
        """
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.get("find_unused_parameters"):
            raise TrainingError(
                "Several processes need trainer=ddp (DDP that finds unused parameters) or trainer=fsdp."
            )

    def on_train_start(self) -> None:
        """Give the first step the rate of the present schedule, which may be longer than at the last save.

        When the schedule is the same, so is the rate, to the last bit.
        """
        found: Any = self.lr_schedulers()
        for scheduler in found if isinstance(found, list) else [found]:
            rates = zip(
                scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
            )
            for group, base, factor in rates:
                group["lr"] = base * factor(scheduler.last_epoch)

    def begin_step(self, pictures: Sequence[str]) -> None:
        """A batch has come.

        Args:
            pictures: names of what it is made of, for messages; may be empty.
        """
        self.step = self.global_step
        self.pictures = pictures
        self.all_good = True

    def take_turn(self, name: str, parts: Sequence[Part], loss_of: Callable[[Part], Tensor]) -> bool:
        """Let a learner take its turn, see :meth:`OptimizerTurn.take`.

        Raises:
            FloatingPointError: too many bad steps in a row.
        """
        turn = self.turns[name]
        if turn.take(parts, loss_of):
            return True
        self.all_good = False
        if not turn.overflowed:
            self.check.skip(self.step, str(turn.culprit), self.pictures)
        return False

    def end_step(self) -> None:
        """All turns are taken: schedules move on by one."""
        if self.all_good:
            self.check.passed()
        schedulers: Any = self.lr_schedulers()
        with warnings.catch_warnings():  # a float16 scaler may have skipped the very first step
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
                scheduler.step()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ask to stop after the last step: Lightning then validates first, whatever the interval."""
        if 0 <= self.trainer.max_steps <= self.global_step:
            self.trainer.should_stop = True

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Lightning has the gradients of an optimizer ready, no longer scaled."""
        next(turn for turn in self.turns.values() if turn.optimizer is optimizer).gate()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the loss scales."""
        checkpoint[SCALERS] = {name: turn.scaler.state_dict() for name, turn in self.turns.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them up, as soon as the optimizers are there."""
        self._scaler_states = checkpoint.get(SCALERS, {})


def _optimizer(learner: Learner) -> Optimizer:
    """The optimizer of a group, with a parameter group for each factor on the learning rate.

    Raises:
        TrainingError: a pattern matches no parameter.
    """
    if not learner.lr_scales:
        return learner.optimizer(learner.parameters.values())
    by_pattern: dict[str, list[nn.Parameter]] = {pattern: [] for pattern in (*learner.lr_scales, "*")}
    for name, parameter in learner.parameters.items():
        by_pattern[next(pattern for pattern in by_pattern if fnmatchcase(name, pattern))].append(parameter)
    unused = [pattern for pattern in learner.lr_scales if not by_pattern[pattern]]
    if unused:
        raise TrainingError(f"lr_scales: no parameter of the codec matches {unused[0]!r}.")
    groups: list[Any] = [{"params": parameters} for parameters in by_pattern.values() if parameters]
    optimizer = learner.optimizer(groups)
    factors = {"*": 1.0, **learner.lr_scales}
    for group, pattern in zip(optimizer.param_groups, (p for p in by_pattern if by_pattern[p]), strict=True):
        group["lr"] *= factors[pattern]
    return optimizer


def _stateless(schedule: Schedule) -> Schedule:
    """A plain function, as LambdaLR keeps the attributes of other callables and restores an old length."""

    def factor(step: int) -> float:
        return schedule(step)

    return factor
