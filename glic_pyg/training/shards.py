"""Weights and gradients that are spread over processes, or not: the same words for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import get_total_norm


def own_part(tensors: Iterable[Tensor]) -> list[Tensor]:
    """What this process keeps of each tensor: a view of its shard, or all of it."""
    return [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]


def spread_like(value: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, which every process has, sharded if and as another of its shape is."""
    if isinstance(other, DTensor):
        return distribute_tensor(value.to(other.device), other.device_mesh, other.placements)
    return value


def whole(value: Any) -> Any:
    """A tensor of which this process has a part, put together; anything else as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


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
