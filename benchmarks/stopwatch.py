"""A model and a channel that keep time while an ordinary codec uses them.

The parts of one encoding or decoding are timed in that very run, so that they add up to it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from glic_pyg.models.base import Codec, EntropyCoder

__all__ = ["Stopwatch", "TimedCodec"]


class Stopwatch:
    """Seconds by name, since the last :meth:`take`."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time of a block to a part."""
        start = time.perf_counter()
        yield
        self._seconds[name] += time.perf_counter() - start

    def take(self) -> dict[str, float]:
        """What was collected, forgetting it."""
        seconds, self._seconds = dict(self._seconds), defaultdict(float)
        return seconds


class TimedChannel:
    """A channel whose calls are timed: making symbols, arithmetic coding, checksums."""

    def __init__(self, channel: EntropyCoder, watch: Stopwatch) -> None:
        self._channel, self._watch = channel, watch

    def factorized(self, bottleneck: Any, shape: tuple[int, ...], values: Tensor | None) -> Tensor:
        with self._watch.part("coder"):
            return self._channel.factorized(bottleneck, shape, values)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        with self._watch.part("coder"):
            return self._channel.gaussian(means, scales, values)


class TimedCodec:
    """A backbone whose parts are timed: ``analysis``, ``synthesis``, ``latents`` and in it ``coder``."""

    def __init__(self, model: Codec, watch: Stopwatch) -> None:
        self._model, self._watch = model, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def g_a(self, x: Tensor) -> Tensor:
        with self._watch.part("analysis"):
            return self._model.g_a(x)

    def g_s(self, y_hat: Tensor) -> Tensor:
        with self._watch.part("synthesis"):
            return self._model.g_s(y_hat)

    def code_latents(
        self, channel: EntropyCoder, y: Tensor | None = None, *, shape: tuple[int, int]
    ) -> Tensor:
        with self._watch.part("latents"):
            return self._model.code_latents(TimedChannel(channel, self._watch), y, shape=shape)
