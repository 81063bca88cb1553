"""Keeps the entropy models in float32 while the rest of a model runs under autocast."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from compressai.entropy_models import EntropyModel
from torch import Tensor, nn

from glic_pyg.numerics import widened


def entropy_in_float32(model: nn.Module) -> None:
    """Make every entropy model of `model` compute in float32, whatever autocast says around it.

    A likelihood is the difference of two cumulatives that may be nearly equal, and a latent of 100 has a
    spacing of 1/2 in bfloat16: there is no room for noise around it. Inputs are widened to float32 (float64
    stays) and autocast is off inside. Copies of the model do the same.

    Args:
        model: holds any number of CompressAI's entropy models; changed in place.
    """
    for module in model.modules():
        if isinstance(module, EntropyModel):
            module.forward = partial(_in_float32, module.forward)


@torch.compiler.disable
def _in_float32(forward: Callable[..., Any], *args: Tensor, **kwargs: Any) -> Any:
    with torch.autocast(args[0].device.type, enabled=False):
        return forward(*map(widened, args), **{name: widened(value) for name, value in kwargs.items()})
