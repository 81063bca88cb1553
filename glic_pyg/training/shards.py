"""Weights and gradients that are spread over processes, or not: the same words for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm


def own_part(tensors: Iterable[Tensor]) -> list[Tensor]:
    """What this process keeps of each tensor: a view of its shard, or all of it."""
    return [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]


def parameter_groups_by_kind(parameters: Iterable[nn.Parameter]) -> list[Any]:
    """Optimizers take sharded and whole parameters, but not in one group: two groups if there are both."""
    every = list(parameters)
    sharded = [p for p in every if isinstance(p, DTensor)]
    whole = [p for p in every if not isinstance(p, DTensor)]
    return [{"params": sharded}, {"params": whole}] if sharded and whole else every


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """2-norm of all gradients together, of the shards of other processes too, 0-dimensional."""
    shards = [gradient for gradient in gradients if isinstance(gradient, DTensor)]
    norm = get_total_norm([gradient for gradient in gradients if not isinstance(gradient, DTensor)])
    if not shards:
        return norm
    square = get_total_norm(own_part(shards)).square()
    torch.distributed.all_reduce(square)
    return (norm.square() + square).sqrt()


def clip(gradients: Sequence[Tensor], largest: float, norm: Tensor) -> None:
    """Scale gradients in place so that their norm, which is given, is at most ``largest``."""
    torch._foreach_mul_(own_part(gradients), (largest / (norm + 1e-6)).clamp(max=1.0))


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[None]:
    """Inside, ``model.parameters()`` are whole in every process; all of them have to come here together."""
    blocks = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for block in blocks:
        block.unshard()
    try:
        yield
    finally:
        for block in blocks:
            block.reshard()
