"""Randomness of training as a function of (seed, step, sample), and the precision of entropy models.

Quantization noise and qualities are drawn per sample: they are the same in one process and in several, with
the batch in one piece and in parts, and in a run that was resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck, EntropyModel
from torch import Tensor, nn

from glic_pyg.models.gain import BEST_QUALITY
from glic_pyg.numerics import widened

__all__ = ["sample_qualities"]


def derive_seed(seed: int, step: int, *path: int) -> int:
    """Seed of one random draw, which depends on nothing but its arguments.

    All randomness of a run derives from (seed, step, ...), so a resumed run needs no stored generator
    state, and the order of images is the same with any number of workers.

    Args:
        seed: the run's seed, >= 0.
        step: number of optimizer steps done before.
        path: further indices, e.g. the sample's place in its batch or the rank.

    Returns:
        An unsigned 64-bit integer.
    """
    return int(np.random.SeedSequence([seed, step, *path]).generate_state(1, np.uint64)[0])


class SampleNoise:
    """Source of the uniform noise that stands for rounding while a codec learns.

    Each sample of a batch has a generator of its own, seeded by (seed, step, its place in the whole batch).
    So its noise is the same in one process and in several that share the batch, with the batch in one
    piece and in parts, and in a run that was resumed.

    CompressAI draws noise in ``EntropyModel.quantize`` alone. That method is replaced on the entropy
    models of one model; outside of :meth:`of`, and for rounding, it is CompressAI's.

    Args:
        model: a codec; changed in place.
        seed: the run's seed.
    """

    def __init__(self, model: nn.Module, seed: int) -> None:
        self.seed = seed
        self._generators: list[torch.Generator] = []
        for module in model.modules():
            if isinstance(module, EntropyModel):
                module.quantize = partial(self._quantize, module)

    @contextmanager
    def of(self, step: int, samples: Sequence[int], device: torch.device) -> Iterator[None]:
        """Draw for these samples inside the block.

        Args:
            step: finished steps.
            samples: the places of what goes through the model in the whole batch.
            device: of the noise; another device has other noise.
        """
        seeds = [derive_seed(self.seed, step, sample) for sample in samples]
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        try:
            yield
        finally:
            self._generators = []

    def _quantize(
        self, module: EntropyModel, inputs: Tensor, mode: str, means: Tensor | None = None
    ) -> Tensor:
        if mode != "noise" or not self._generators:
            return type(module).quantize(module, inputs, mode, means)
        return inputs + self._noise(inputs, isinstance(module, EntropyBottleneck))

    @torch.compiler.disable
    def _noise(self, like: Tensor, of_bottleneck: bool) -> Tensor:
        """Noise in (-1/2, 1/2) of the shape and dtype of ``like``.

        An EntropyBottleneck quantises (C, 1, B*h*w), the images of a channel one after the other, everything
        else (B, C, h, w).
        """
        noise = torch.empty_like(like, memory_format=torch.contiguous_format)
        samples = noise.view(len(like), len(self._generators), -1).unbind(1) if of_bottleneck else noise
        for sample, generator in zip(samples, self._generators, strict=True):
            sample.uniform_(-0.5, 0.5, generator=generator)
        return noise


_QUALITY = 3  # keeps this draw apart from those of noise and crops


def sample_qualities(seed: int, step: int, places: Sequence[int], batch_size: int) -> Tensor:
    """One quality a sample, uniform over the samples of the same place and spread evenly over a batch.

    The range is divided into as many parts as the batch has samples, each of which falls into one of them.
    Rates differ so much that with independent draws they would be most of the gradient's noise.

    Args:
        seed: the run's seed.
        step: finished steps.
        places: of these samples in the whole batch, over all processes.
        batch_size: of the whole batch.

    Returns:
        Qualities from 0 to 100, float32, one for each of ``places``; a function of the arguments alone.
    """
    shares = [np.random.default_rng(derive_seed(seed, step, place, _QUALITY)).random() for place in places]
    qualities = [
        BEST_QUALITY * (place + share) / batch_size for place, share in zip(places, shares, strict=True)
    ]
    return torch.tensor(qualities, dtype=torch.float32)


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
