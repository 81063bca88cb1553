"""One optimizer's turn in a training step: gradients, the gate, the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from glic_pyg.graph.similarity import NonFiniteMap
from glic_pyg.training.own_scaler import OwnScaler
from glic_pyg.training.parameter_groups import Parameters
from glic_pyg.training.shards import clip, total_norm
from glic_pyg.training.step_check import first_not_finite

Part = TypeVar("Part")


class OptimizerTurn:
    """A group of parameters that learns from a batch, part by part.

    Lightning's way from a gradient to a step is kept (loss scaling, strategies), but for the count: it takes
    every ``step`` of a wrapped optimizer for a batch, so only one turn of a module may go through the
    wrapper. Before the step, on gradients that are no longer scaled, Lightning calls the module's
    ``on_before_optimizer_step``, which has to call :meth:`gate`.

    Args:
        module: in manual optimization.
        optimizer: the group's, not wrapped.
        parameters: the group, by name.
        clip_norm: largest 2-norm of the gradient; None does not clip.
        counted: whether a step of this group counts as a batch.
    """

    def __init__(
        self,
        module: LightningModule,
        optimizer: Optimizer,
        parameters: Parameters,
        clip_norm: float | None,
        counted: bool,
    ) -> None:
        self.module = module
        self.optimizer = optimizer
        self.parameters = parameters
        self.clip_norm = clip_norm
        self.counted = counted
        self.scaler = OwnScaler(module.trainer.precision_plugin)
        self._begin()

    def _begin(self) -> None:
        self.norm = torch.zeros(())
        self.culprit: str | None = None
        self.overflowed = False
        self._losses: list[Tensor] = []
        self._seen: dict[str, Tensor] = {}
        self.optimizer.zero_grad()

    def take(self, parts: Sequence[Part], loss_of: Callable[[Part], Tensor]) -> bool:
        """Add up the gradients of the parts' losses, then step.

        Args:
            parts: of the batch.
            loss_of: part → its share of the loss, 0-dimensional. Called right before the part's backward
                pass, so that one part's activations live at a time. If it comes upon a map that is not
                finite, its loss counts as NaN.

        Returns:
            Whether the step was taken; if not, ``culprit`` names the reason.
        """
        self._begin()
        for number, part in enumerate(parts, start=1):
            loss = self._loss(part, loss_of)
            with self._own_scale(), self._exchanged(last=number == len(parts)):
                self.module.manual_backward(loss)
        with self._own_scale():
            self._step()
        self._losses, self._seen = [], {}
        return self.culprit is None

    def _loss(self, part: Part, loss_of: Callable[[Part], Tensor]) -> Tensor:
        """The loss of a part; NaN for all parameters, as in any process that waits for their gradients."""
        try:
            return loss_of(part)
        except NonFiniteMap:
            loss = math.nan * sum(parameter.sum() for parameter in self.parameters.values())
            assert isinstance(loss, Tensor)
            self.note(loss, {"a feature map": loss})
            return loss

    def take_alone(self, loss: Tensor) -> None:
        """Step on a loss of the weights alone: every process has the same, and it needs no scaling.

        Its gradient is taken past the hooks with which DDP waits for gradients to exchange.
        """
        self._begin()
        parameters = list(self.parameters.values())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        self.norm = total_norm([p.grad for p in parameters if p.grad is not None])
        self.optimizer.step()

    def note(self, loss: Tensor, computed: dict[str, Tensor]) -> None:
        """Remember a loss and, in the order of computing, what led to it: to be named if not finite."""
        self._losses.append(loss.detach())
        self._seen |= {name: value.detach() for name, value in computed.items()}

    @torch.no_grad()
    def gate(self) -> None:
        """Let the gradient through, clipped, or drop it, so that the step which follows moves nothing."""
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        self.norm = total_norm(gradients)
        finite_loss = self._everywhere(bool(torch.stack(self._losses).isfinite().all()))
        if finite_loss and self._everywhere(bool(self.norm.isfinite())):
            if self.clip_norm is not None:
                clip(gradients, self.clip_norm, self.norm)
            return
        self.culprit = first_not_finite(self._seen, self.parameters)
        self.overflowed = finite_loss and self._loss_scale() > 1
        self.optimizer.zero_grad()

    def _step(self) -> None:
        if self.counted:
            wrapped: Any = self.module.optimizers()
            every = wrapped if isinstance(wrapped, list) else [wrapped]
            next(one for one in every if one.optimizer is self.optimizer).step()
        else:
            self.module.trainer.strategy.optimizer_step(self.optimizer, lambda: None)
            self.optimizer.zero_grad()  # free them: nobody looks at them during the other turns

    def _everywhere(self, good: bool) -> bool:
        """Whether it is so in all processes: they skip a step together."""
        return self.module.trainer.strategy.reduce_boolean_decision(good, all=True)

    def _loss_scale(self) -> float:
        """What float16 losses are multiplied with; the scaler halves it after an overflow."""
        scaler = getattr(self.module.trainer.precision_plugin, "scaler", None)
        return 1.0 if scaler is None else scaler.get_scale()

    def _own_scale(self) -> AbstractContextManager[None]:
        """The counted group uses Lightning's scaler, the others one each."""
        return nullcontext() if self.counted else self.scaler.in_place()

    def _exchanged(self, last: bool) -> AbstractContextManager[Any]:
        """Processes exchange gradients once, after the last part."""
        block = getattr(self.module.trainer.strategy, "block_backward_sync", None)
        return nullcontext() if last or block is None else block()
