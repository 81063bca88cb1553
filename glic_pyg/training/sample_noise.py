"""Quantisation noise that hangs on the sample, not on the process or the part of the batch it is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from compressai.entropy_models import EntropyBottleneck, EntropyModel
from torch import Tensor, nn

from glic_pyg.training.step_seed import step_seed


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
        seeds = [step_seed(self.seed, step, sample) for sample in samples]
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
