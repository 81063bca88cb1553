"""How the model is run while it learns: in less memory, or compiled. What it computes stays the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glic_pyg.errors import TrainingError

BLOCKS = (
    "GFALayer",
    "GatedBlock",
    "PointwiseBlock",
    "Res",
    "ResDown",
    "ResUp",
    "AttentionBlock",
    "ResidualBlock",
    "ResidualBottleneckBlock",
    "ResidualBlockUpsample",
    "ResidualBlockWithStride",
)
"""The blocks of all backbones that are worth it."""


class CheckpointActivations(lightning.Callback):
    """Activations inside blocks are not kept for the backward pass but computed anew in it.

    Blocks of a map alone run one image at a time, so that the insides of one block for one image are the
    most that lives at once. Costs a second forward pass of the blocks and changes no result but by the order
    of summation over the images: blocks draw no random numbers, and graphs are built outside of them. The
    averaged copy is left as it is.

    Args:
        blocks: names of the classes whose modules are run this way, the outermost of nested ones.
    """

    def __init__(self, blocks: Sequence[str] = BLOCKS) -> None:
        self.blocks = tuple(blocks)

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Wrap the blocks, once.

        Raises:
            TrainingError: the model has none of them.
        """
        model: Any = pl_module.model
        found = list(outermost(model, self.blocks))
        if not found:
            raise TrainingError(
                f"{type(model).__name__} has none of the blocks whose activations may be dropped: name "
                "its own in callbacks.checkpoint_activations.blocks, or choose callbacks=default."
            )
        for block in found:
            if "forward" not in vars(block):
                block.forward = partial(_image_by_image, block.forward)


class CompileModel(lightning.Callback):
    """Compiles the forward pass of training with ``torch.compile``; names of weights stay as they are.

    Args:
        backend, mode, dynamic: as in ``torch.compile``.
    """

    def __init__(
        self, backend: str = "inductor", mode: str | None = None, dynamic: bool | None = None
    ) -> None:
        self.options = {"backend": backend, "mode": mode, "dynamic": dynamic}

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Compile in place. The averaged copy, which sees images of all sizes, stays as it is."""
        model: Any = pl_module.model
        model.compile(**self.options)


def _image_by_image(forward: Callable[..., Tensor], x: Tensor, *more: Any) -> Tensor:
    """``forward(x)`` of every image, or, if it takes more than a map, of all at once; nothing is kept."""
    images = [x] if more or not torch.is_grad_enabled() else x.split(1)
    run = partial(checkpoint, forward, use_reentrant=False, preserve_rng_state=False)
    results = [run(image, *more) for image in images]
    return results[0] if len(results) == 1 else torch.cat(results)


def outermost(module: nn.Module, names: Sequence[str]) -> Iterator[nn.Module]:
    if type(module).__name__ in names:
        yield module
    else:
        for child in module.children():
            yield from outermost(child, names)
