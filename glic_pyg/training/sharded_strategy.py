"""FSDP: every process keeps a part of the large blocks, of their average and of their optimizer state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.utils._pytree import tree_map

from glic_pyg.errors import TrainingError
from glic_pyg.training.model_execution import BLOCKS, outermost
from glic_pyg.training.shards import spread_like, whole


class ShardedStrategy(ModelParallelStrategy):
    """Lightning's FSDP2 for a module whose optimizers take turns.

    Blocks of the codec and of its average are sharded. All else is small, or is used outside of a forward
    pass (side maps, quantiles, the source model), and is kept whole in every process: of these weights the
    gradients are averaged after each backward pass.

    Args:
        blocks: names of the classes whose modules are sharded, the outermost of nested ones;
            ``None`` for those of all backbones.
        within: the module's attributes in which they are looked for.
    """

    def __init__(self, blocks: Sequence[str] | None = None, within: Sequence[str] = ("model", "ema")) -> None:
        super().__init__(save_distributed_checkpoint=False)
        self.blocks = tuple(blocks or BLOCKS)
        self.within = tuple(within)

    def setup_environment(self) -> None:
        """One dimension of processes: all of them share the batch and the weights."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        self._tensor_parallel_size = 1
        super().setup_environment()

    def setup(self, trainer: lightning.Trainer) -> None:
        """Shard, then make the optimizers.

        Raises:
            TrainingError: there is no such block.
        """
        assert self.accelerator is not None and self.model is not None
        self.accelerator.setup(trainer)
        self.model = self.precision_plugin.convert_module(self.model)
        self.model_to_device()
        self._shard()
        self.barrier()
        if trainer.state.fn == TrainerFn.FITTING:
            self.setup_optimizers(trainer)
        self.setup_precision_plugin()

    def _shard(self) -> None:
        parts = [part for name in self.within if (part := getattr(self.model, name, None)) is not None]
        blocks = [block for part in parts for block in outermost(part, self.blocks)]
        if not blocks:
            raise TrainingError(
                f"There is nothing to shard: no block of the model is a {' or '.join(self.blocks)}; name its "
                "own in trainer.strategy.blocks, or take trainer=ddp."
            )
        for block in blocks:
            fully_shard(block, mesh=self.device_mesh["data_parallel"])

    @torch.no_grad()
    def post_backward(self, closure_loss: Tensor) -> None:
        """Average the gradients of what is not sharded; FSDP has done so for the rest."""
        assert self.model is not None
        found = [p.grad for p in self.model.parameters() if p.grad is not None]
        whole = [gradient for gradient in found if not isinstance(gradient, DTensor)]
        if whole:
            together = torch.cat([gradient.flatten() for gradient in whole])
            torch.distributed.all_reduce(together)
            together /= self.world_size
            parts = together.split([gradient.numel() for gradient in whole])
            torch._foreach_copy_(whole, [part.view_as(g) for part, g in zip(parts, whole, strict=True)])

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The whole state, as one process would keep it."""
        inner = getattr(optimizer, "optimizer", optimizer)
        return tree_map(whole, inner.state_dict())

    def load_checkpoint(
        self, checkpoint_path: str | Path, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Take up a checkpoint, whatever strategy wrote it."""
        checkpoint = self.checkpoint_io.load_checkpoint(checkpoint_path, weights_only=weights_only)
        assert self.model is not None
        own = self.model.state_dict()
        saved: dict[str, Tensor] = checkpoint["state_dict"]
        like = {name: spread_like(value, own.get(name, value)) for name, value in saved.items()}
        self.model.load_state_dict(like)
        states = checkpoint["optimizer_states"] if self.optimizers else []
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(_spread_state(state, optimizer))
        return checkpoint


def _spread_state(state: dict[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's whole state, with the tensors of sharded parameters sharded like them."""
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    spread = {
        number: {
            name: spread_like(value, parameter) if value.shape == parameter.shape else value
            for name, value in state["state"].get(number, {}).items()
        }
        for number, parameter in zip(numbers, parameters, strict=True)
    }
    return {**state, "state": {number: values for number, values in spread.items() if values}}
