"""Range coding of symbols, each with one of a list of integer probability tables.

Symbols are coded sorted by table, so that each run goes through constriction's range coder in one call with
one fixed model; a symbol outside its table is coded as that table's escape, and its value afterwards with 16
uniform bits. ``docs/format.md`` says why this coder and how it compares with CompressAI's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from glic_pyg.codec.tables import Table
from glic_pyg.errors import CorruptFile

__all__ = ["SYMBOL_LIMIT", "SymbolDecoder", "SymbolEncoder"]


SYMBOL_LIMIT = (1 << 15) - 1
"""Symbols are clamped to [-SYMBOL_LIMIT, SYMBOL_LIMIT]; inside, every one is coded exactly."""

_UNIFORM = constriction.stream.model.Uniform(2 * (SYMBOL_LIMIT + 1))
_WORD = np.dtype("<u4")


class SymbolEncoder:
    """Encodes symbols to bytes."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(
        self, symbols: NDArray[np.int32], which: NDArray[np.integer[Any]], tables: Sequence[Table]
    ) -> None:
        """Code ``symbols`` (n,), symbol i with ``tables[which[i]]``."""
        order = np.argsort(which, kind="stable")
        ordered = symbols[order]
        escaped = []
        for table, run in _runs(which, tables):
            entries = ordered[run] + table.radius
            outside = (entries < 0) | (entries > 2 * table.radius)
            if outside.any():
                escaped.append(ordered[run][outside])
                entries[outside] = 2 * table.radius + 1
            self._coder.encode(entries, table.model)
        for values in escaped:
            self._coder.encode(values + np.int32(SYMBOL_LIMIT), _UNIFORM)

    def finish(self) -> bytes:
        """Return the coded bytes; trailing zeros are dropped, the decoder restores them."""
        data: bytes = self._coder.get_compressed().astype(_WORD).tobytes()
        return data.rstrip(b"\0")


class SymbolDecoder:
    """Decodes the bytes of a :class:`SymbolEncoder`, with the same calls in the same order."""

    def __init__(self, data: bytes) -> None:
        padded = data + bytes(-len(data) % _WORD.itemsize)
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(padded, _WORD).astype(np.uint32))

    def decode(self, which: NDArray[np.integer[Any]], tables: Sequence[Table]) -> NDArray[np.int32]:
        """Decode one symbol for each entry of ``which`` (n,).

        Raises:
            CorruptFile: the bytes cannot come from an encoder.
        """
        ordered = np.empty(len(which), np.int32)
        escaped = []
        for table, run in _runs(which, tables):
            entries = self._decode(table.model, run.stop - run.start)
            outside = np.flatnonzero(entries > 2 * table.radius)
            if len(outside):
                escaped.append(outside + run.start)
            ordered[run] = entries - np.int32(table.radius)
        for indices in escaped:
            ordered[indices] = self._decode(_UNIFORM, len(indices)) - np.int32(SYMBOL_LIMIT)
        symbols = np.empty_like(ordered)
        symbols[np.argsort(which, kind="stable")] = ordered
        return symbols

    def _decode(self, model: object, count: int) -> NDArray[np.int32]:
        try:
            values: NDArray[np.int32] = self._coder.decode(model, count)
        except AssertionError:  # constriction raises it for bytes that no encoder writes
            raise CorruptFile("The latents stream is damaged: it cannot be decoded.") from None
        return values


def _runs(which: NDArray[np.integer[Any]], tables: Sequence[Table]) -> Iterator[tuple[Table, slice]]:
    """Yield each table in use and where its symbols lie once they are sorted by table."""
    counts = np.bincount(which, minlength=len(tables))
    ends = np.cumsum(counts)
    for i in np.flatnonzero(counts):
        yield tables[i], slice(int(ends[i] - counts[i]), int(ends[i]))
