"""Manual optimization: several optimizers, one batch, one step; what is not finite is skipped."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeVar

import lightning
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from glic_pyg.errors import TrainingError
from glic_pyg.graph.similarity import NonFiniteMap
from glic_pyg.training.optimizers import Parameters

__all__ = ["ManualOptimization", "NonFiniteGuard", "OptimizerFactory", "OptimizerSpec", "Schedule"]

log = logging.getLogger(__name__)

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
Schedule = Callable[[int], float]
MicroBatch = TypeVar("MicroBatch")


class OptimizerSpec(NamedTuple):
    """A group of parameters and how it is optimized.

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


class ManualOptimization(lightning.LightningModule):
    """Base of a LightningModule with several optimizers, each of which may step once or more for every batch.

    Lightning counts each ``step`` of a wrapped optimizer in ``trainer.global_step``. Only the first optimizer
    steps through its wrapper, once a batch. So ``global_step`` is the number of batches, and checkpoints,
    logs and schedules count the same.

    A subclass names its optimizers in :meth:`optimizer_specs`. Its ``training_step`` calls :meth:`update` for
    each, between :meth:`begin_step` and :meth:`end_step`.

    Args:
        max_skipped: see :class:`NonFiniteGuard`.

    Attributes:
        named_optimizers: the optimizers by name, not wrapped.
        named_schedulers: their schedules by the same names.
        grad_norms: 2-norm of each group's newest gradient, before it was clipped.
        step: batches finished before this one.
    """

    def __init__(self, max_skipped: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.guard = NonFiniteGuard(max_skipped)
        self.specs: dict[str, OptimizerSpec] = {}
        self.named_optimizers: dict[str, Optimizer] = {}
        self.named_schedulers: dict[str, LambdaLR] = {}
        self.grad_norms: dict[str, Tensor] = {}
        self.step = 0
        self._tracked: dict[str, dict[str, Tensor]] = {}

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """The groups by name, the one whose steps are counted first."""
        raise NotImplementedError

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        """An optimizer and a schedule for each group."""
        self.specs = self.optimizer_specs()
        self.named_optimizers = {name: _build(name, spec) for name, spec in self.specs.items()}
        self.grad_norms = {name: torch.zeros(()) for name in self.specs}
        self.named_schedulers = {
            name: LambdaLR(optimizer, _stateless(self.specs[name].schedule))
            for name, optimizer in self.named_optimizers.items()
        }
        return list(self.named_optimizers.values()), list(self.named_schedulers.values())

    def on_fit_start(self) -> None:
        """Refuse what would go wrong silently.

        Raises:
            TrainingError: float16, which needs a loss scale for each optimizer; or a DDP that does not look
                for parameters without a gradient: it would wait for those that an update leaves out.
        """
        if self.trainer.precision in ("16-mixed", "16-true"):
            raise TrainingError(f"trainer.precision is bf16-mixed or 32-true, not {self.trainer.precision}.")
        model = self.trainer.strategy.model
        if isinstance(model, DistributedDataParallel) and not model.find_unused_parameters:
            raise TrainingError("Several processes need trainer=ddp: DDP that finds unused parameters.")

    def on_train_start(self) -> None:
        """Give the first step the rate of the present schedule, which may be longer than at the last save.

        When the schedule is the same, so is the rate, to the last bit.
        """
        for scheduler in self.named_schedulers.values():
            groups = scheduler.optimizer.param_groups
            for group, base, factor in zip(groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True):
                group["lr"] = base * factor(scheduler.last_epoch)

    def begin_step(self, images: Sequence[str]) -> None:
        """Start a step.

        Args:
            images: names of what the batch is made of, for messages; may be empty.
        """
        self.step = self.global_step
        self.images = images
        self.all_finite = True

    def update(
        self, name: str, micro_batches: Sequence[MicroBatch], loss_of: Callable[[MicroBatch], Tensor]
    ) -> bool:
        """Add up the gradients of the micro-batches' losses, clip, and step.

        Args:
            name: of the group.
            micro_batches: of the batch.
            loss_of: from a micro-batch to its share of the loss, 0-dimensional. It calls :meth:`track` and is
                called right before the backward pass, so that one micro-batch's activations live at a time.
                Where it meets a map that is not finite its loss counts as NaN.

        Returns:
            Whether the step was made; it is skipped where a loss or gradient is not finite, in any process.

        Raises:
            FloatingPointError: too many steps were skipped in a row.
        """
        optimizer = self.named_optimizers[name]
        optimizer.zero_grad()
        self._tracked[name] = {}
        losses = []
        for number, micro_batch in enumerate(micro_batches, start=1):
            loss = self._loss(name, micro_batch, loss_of)
            losses.append(loss.detach())
            with self._exchanged(last=number == len(micro_batches)):
                self.manual_backward(loss)
        source = self._clip_or_skip(name, torch.stack(losses))
        self._tracked[name] = {}
        self._step(name)
        if source is not None:
            self.all_finite = False
            self.guard.skip(self.step, source, self.images)
        return source is None

    def update_on_weights(self, name: str, loss: Tensor) -> None:
        """Step on a loss of the weights alone, which is the same in every process.

        Its gradient is taken past the hooks with which DDP waits for gradients to exchange.
        """
        optimizer = self.named_optimizers[name]
        optimizer.zero_grad()
        parameters = list(self.specs[name].parameters.values())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        self.grad_norms[name] = get_total_norm([p.grad for p in parameters if p.grad is not None])
        optimizer.step()

    def track(self, name: str, computed: Mapping[str, Tensor]) -> None:
        """Remember what led to the loss of a group, in the order of computing: to be named if not finite."""
        self._tracked[name] |= {what: value.detach() for what, value in computed.items()}

    def end_step(self) -> None:
        """Finish a step: every schedule moves on by one."""
        if self.all_finite:
            self.guard.passed()
        with warnings.catch_warnings():  # an optimizer whose first update was skipped has not stepped yet
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            for scheduler in self.named_schedulers.values():
                scheduler.step()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ask to stop after the last step: Lightning then validates first, whatever the interval."""
        if 0 <= self.trainer.max_steps <= self.global_step:
            self.trainer.should_stop = True

    def _loss(self, name: str, micro_batch: MicroBatch, loss_of: Callable[[MicroBatch], Tensor]) -> Tensor:
        """The loss of a micro-batch; NaN where a map is not finite, of all parameters, so that none waits."""
        try:
            return loss_of(micro_batch)
        except NonFiniteMap:
            loss = math.nan * torch.stack([p.sum() for p in self.specs[name].parameters.values()]).sum()
            self._tracked[name] |= {"a feature map": loss.detach()}
            return loss

    @torch.no_grad()
    def _clip_or_skip(self, name: str, losses: Tensor) -> str | None:
        """Clip a finite gradient; drop one that is not, and return the name of what was not finite first."""
        parameters, clip_norm = self.specs[name].parameters, self.specs[name].clip_norm
        with_gradient = [p for p in parameters.values() if p.grad is not None]
        norm = self.grad_norms[name] = get_total_norm([p.grad for p in with_gradient if p.grad is not None])
        finite = bool(losses.isfinite().all()) and bool(norm.isfinite())
        if self.trainer.strategy.reduce_boolean_decision(finite, all=True):  # processes skip a step together
            if clip_norm is not None:
                clip_grads_with_norm_(with_gradient, clip_norm, norm)
            return None
        source = nonfinite_source(self._tracked[name], parameters)
        self.named_optimizers[name].zero_grad()
        return source

    def _step(self, name: str) -> None:
        """Step, through Lightning's wrapper if the group's steps count; without gradients none moves."""
        optimizer = self.named_optimizers[name]
        if name != next(iter(self.specs)):
            optimizer.step()
            optimizer.zero_grad()  # free the gradients: nobody looks at them during the other updates
            return
        wrapped: Any = self.optimizers()
        every = wrapped if isinstance(wrapped, list) else [wrapped]
        next(one for one in every if one.optimizer is optimizer).step()

    def _exchanged(self, last: bool) -> AbstractContextManager[Any]:
        """Processes exchange gradients once, after the last micro-batch."""
        block = getattr(self.trainer.strategy, "block_backward_sync", None)
        return nullcontext() if last or block is None else block()


class NonFiniteGuard:
    """Counts the steps that were skipped, and ends the run when too many come in a row.

    Args:
        max_skipped: the number of skipped steps in a row that ends the run.
    """

    def __init__(self, max_skipped: int) -> None:
        self.max_skipped = max_skipped
        self.skipped_in_a_row = 0

    def passed(self) -> None:
        """Note that a step was finite."""
        self.skipped_in_a_row = 0

    def skip(self, step: int, source: str, images: Sequence[str]) -> None:
        """Note that a step was skipped.

        Args:
            step: its number.
            source: name of the first tensor that was not finite.
            images: what the batch was made of; if unknown, the message gives the number of the batch.

        Raises:
            FloatingPointError: too many in a row.
        """
        self.skipped_in_a_row += 1
        batch = f"batch of {', '.join(images)}" if images else f"batch {step}"
        log.warning("step %d skipped: %s is not finite (%s)", step, source, batch)
        if self.skipped_in_a_row >= self.max_skipped:
            raise FloatingPointError(
                f"{source} was not finite in step {step} ({batch}), the last of {self.skipped_in_a_row} bad "
                "steps in a row; the checkpoint of before is intact: go on from it in float32, or begin "
                "a new run with its weights (start_from=...) and a lower learning rate."
            )


def nonfinite_source(values: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]) -> str:
    """Name the first tensor that holds an infinity or a NaN.

    Args:
        values: what the step computed, in the order of computing.
        parameters: whose gradients are looked at after that, in the order of the forward pass.
    """
    for name, value in values.items():
        if not torch.isfinite(value).all():
            return name
    for name, parameter in parameters.items():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"the gradient of {name}"
    return "the norm of the gradient"


def _build(name: str, spec: OptimizerSpec) -> Optimizer:
    """The optimizer of a group, with a parameter group for each factor on the learning rate.

    Raises:
        TrainingError: a pattern matches no parameter, or the optimizer does not take its arguments.
    """
    try:
        return _with_parameter_groups(spec)
    except TrainingError:
        raise
    except (TypeError, ValueError) as error:
        setting = "optim.source" if name == "theta" else f"optim.{name}"
        raise TrainingError(f"{setting} makes no optimizer: {error}") from error


def _with_parameter_groups(spec: OptimizerSpec) -> Optimizer:
    if not spec.lr_scales:
        return spec.optimizer(spec.parameters.values())
    by_pattern: dict[str, list[nn.Parameter]] = {pattern: [] for pattern in (*spec.lr_scales, "*")}
    for name, parameter in spec.parameters.items():
        by_pattern[next(pattern for pattern in by_pattern if fnmatchcase(name, pattern))].append(parameter)
    unused = [pattern for pattern in spec.lr_scales if not by_pattern[pattern]]
    if unused:
        raise TrainingError(f"lr_scales: no parameter of the codec matches {unused[0]!r}.")
    groups: list[Any] = [{"params": parameters} for parameters in by_pattern.values() if parameters]
    optimizer = spec.optimizer(groups)
    factors = {"*": 1.0, **spec.lr_scales}
    for group, pattern in zip(optimizer.param_groups, (p for p in by_pattern if by_pattern[p]), strict=True):
        group["lr"] *= factors[pattern]
    return optimizer


def _stateless(schedule: Schedule) -> Schedule:
    """A plain function, as LambdaLR keeps the attributes of other callables and restores an old length."""

    def factor(step: int) -> float:
        return schedule(step)

    return factor
