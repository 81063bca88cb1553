"""Exact entropies of small finite worlds, to hold the regularizer's estimate against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from math import log, log2

import torch
from torch import Tensor, nn

from glic_pyg.regularizer.source_model import SourceModel, levels_of

Map = Callable[[int], Hashable]


class World:
    """Symbols 0..255 with exact frequencies; everything else is a function of the symbol.

    Args:
        symbols: each as often as it is probable.
    """

    def __init__(self, symbols: Sequence[int]) -> None:
        self.symbols = symbols

    def entropy(self, *of: Map) -> float:
        """Joint entropy of functions of X, in bits."""
        counts = Counter(tuple(f(x) for f in of) for x in self.symbols)
        return -sum(n / len(self.symbols) * log2(n / len(self.symbols)) for n in counts.values())

    def given(self, of: Map, *known: Map) -> float:
        """Conditional entropy."""
        return self.entropy(of, *known) - self.entropy(*known)

    def image(self, f: Callable[[int], float]) -> Tensor:
        """f of every symbol / 255 in an image of one row, the same in all colours, (1, 3, 1, W)."""
        row = torch.tensor([f(x) for x in self.symbols], dtype=torch.float64) / 255
        return row.expand(1, 3, 1, -1)


class Table(SourceModel):
    """A free distribution of the symbols 0..7 for every level of x_hat, by logits; of its own symbols alone.

    Args:
        world: fixes which symbols a level may have.
        decoder: symbol to its level of x_hat.
    """

    def __init__(self, world: World, decoder: Callable[[int], int]) -> None:
        super().__init__(1)
        possible = torch.zeros(256, 256, dtype=torch.bool)
        for symbol in world.symbols:
            possible[decoder(symbol), symbol] = True
        self.register_buffer("possible", possible)
        self.logits = nn.Parameter(torch.zeros(256, 256, dtype=torch.float64))

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        log_q = self.logits.masked_fill(~self.possible, -torch.inf).log_softmax(1)
        return -log_q[levels_of(x_hat).long(), levels_of(x).long()] / log(2)

    def fill(self, world: World, decoder: Callable[[int], int]) -> None:
        """The exact conditional probabilities."""
        counts = torch.zeros(256, 256, dtype=torch.float64)
        for symbol in world.symbols:
            counts[decoder(symbol), symbol] += 1
        self.logits.data = counts.clamp_min(1e-300).log()
