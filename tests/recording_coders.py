"""Entropy encoder and decoder that keep whole tensors in memory instead of writing bytes."""

from __future__ import annotations

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor


class RecordingEncoder:
    """Keeps the symbols it codes; values are snapped to multiples of ``1 / steps``, or not at all."""

    def __init__(self, steps: int | None) -> None:
        self.steps = steps
        self.symbols: list[Tensor] = []
        self.scales: list[Tensor] = []

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        medians = bottleneck.quantiles[:, 0, 1].double()[:, None, None]
        return self._code(medians.expand(shape), values)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        assert means.dtype == scales.dtype == torch.float64 and means.shape == scales.shape
        self.scales.append(scales)
        return self._code(self.lattice(means), values)

    def lattice(self, values: Tensor) -> Tensor:
        return values if self.steps is None else (values * self.steps).round() / self.steps

    def _code(self, centres: Tensor, values: Tensor | None) -> Tensor:
        assert values is not None and values.shape == centres.shape
        self.symbols.append((values.double() - centres).round())
        return centres + self.symbols[-1]


class RecordingDecoder(RecordingEncoder):
    """Gives back an encoder's symbols in their order."""

    def __init__(self, encoder: RecordingEncoder) -> None:
        super().__init__(encoder.steps)
        self.waiting = list(encoder.symbols)

    def _code(self, centres: Tensor, values: Tensor | None) -> Tensor:
        assert values is None
        symbols = self.waiting.pop(0)
        assert symbols.shape == centres.shape
        return centres + symbols
