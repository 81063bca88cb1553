"""Exponential moving average of a model's weights."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

from glic_pyg.training.shards import own_part

Model = TypeVar("Model", bound=nn.Module)


class WeightAverage(nn.Module, Generic[Model]):
    r"""Keeps a second copy of a model whose weights trail the first one's.

    .. math::
        \bar w \leftarrow \bar w + (1 - d_t)(w - \bar w), \qquad
        d_t = \min\!\left(d, \frac{1 + t}{10 + t}\right)

    The decay d_t starts low, so that the random initial weights are soon forgotten. Buffers, which
    hold counts and tables, are copied and not averaged.

    Args:
        source: the model in training.
        decay: d, in [0, 1); 0 makes the average equal to the model after every update.
    """

    def __init__(self, source: Model, decay: float = 0.999) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"EMA decay must be at least 0 and below 1, got {decay}.")
        self.decay = decay
        self.model: Model = copy.deepcopy(source).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, source: Model, step: int) -> None:
        """Move the average towards `source`, which has just finished step t = `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged = own_part(parameter.detach() for parameter in self.model.parameters())
        current = own_part(parameter.detach() for parameter in source.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)
        for own, other in zip(self.model.buffers(), source.buffers(), strict=True):
            own.copy_(other)

    def train(self, mode: bool = True) -> "WeightAverage[Model]":
        """Stay in eval mode: the average is only ever evaluated."""
        return super().train(False)
