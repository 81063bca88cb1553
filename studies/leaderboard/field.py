"""What others state about their codecs (``field.json``): complexity, time and memory, and their own BD-rates.

Every entry names the file it was read in. Tables of different authors disagree by method: each is an entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["Complexity", "DecoderCost", "Stated", "complexities", "decoder_cost", "stated"]

_FILE = Path(__file__).parent / "field.json"
_ALIASES = {"ELIC (official, 10 points)": "ELIC"}
"""Curves whose codec has another name in tables of complexity."""


@dataclass(frozen=True)
class Complexity:
    """One row of somebody's table; what it does not say is ``None``.

    Attributes:
        codec: as published curves call it.
        source: file and commit.
        parameters_m: millions.
        kmac: thousands of multiply-adds a pixel, encoder and decoder together or of what is not stated.
        kmac_encode, kmac_decode: the same of one direction; a pair where it depends on the rate.
        tflops: as printed, of ``image``.
        encode_s, decode_s: seconds; a pair where they depend on the rate.
        memory_gb: as printed.
        image: size, as far as it is stated.
        device: where it was run.
        measured_by: if not by the codec's authors.
        note: how the numbers came about.
    """

    codec: str
    source: str
    parameters_m: float | None = None
    kmac: float | None = None
    kmac_encode: float | None = None
    kmac_decode: tuple[float, float] | None = None
    tflops: float | None = None
    encode_s: tuple[float, float] | None = None
    decode_s: tuple[float, float] | None = None
    memory_gb: float | None = None
    image: str = ""
    device: str = ""
    measured_by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Stated:
    """BD-rates, in percent, that authors state for their codec.

    Attributes:
        codec: its name.
        anchor: what they compare it with.
        bd_rate: by data set.
    """

    codec: str
    anchor: str
    bd_rate: Mapping[str, float]


@dataclass(frozen=True)
class DecoderCost:
    """Thousands of multiply-adds a pixel.

    Attributes:
        low, high: least and most that anybody states.
        whole: it is of encoder and decoder together, so the decoder needs less.
        sources: where they were read.
    """

    low: float
    high: float
    whole: bool
    sources: tuple[str, ...]


@lru_cache(maxsize=1)
def _document() -> Any:
    return json.loads(_FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def complexities() -> Sequence[Complexity]:
    """All entries, in the order of the file."""
    return tuple(_entry(dict(values)) for values in _document()["complexity"])


@lru_cache(maxsize=1)
def stated() -> Sequence[Stated]:
    """What authors state, in the order of the file."""
    return tuple(Stated(**values) for values in _document()["stated"])


def decoder_cost(curve: str) -> DecoderCost | None:
    """What is stated about the decoder of a curve's codec, else about the whole codec, or ``None``."""
    entries = [entry for entry in complexities() if entry.codec == _ALIASES.get(curve, curve)]
    if decoders := [(entry.kmac_decode, entry.source) for entry in entries if entry.kmac_decode]:
        values = [value for pair, _ in decoders for value in pair]
        return DecoderCost(min(values), max(values), False, tuple(source for _, source in decoders))
    if wholes := [(entry.kmac, entry.source) for entry in entries if entry.kmac]:
        both = [value for value, _ in wholes]
        return DecoderCost(min(both), max(both), True, tuple(source for _, source in wholes))
    return None


def _entry(values: dict[str, Any]) -> Complexity:
    largest = values.pop("kmac_decode_largest", None)
    if "kmac_decode" in values:
        values["kmac_decode"] = (values["kmac_decode"], largest or values["kmac_decode"])
    for key in ("encode_s", "decode_s"):
        if key in values:
            value = values[key]
            values[key] = tuple(value) if isinstance(value, list) else (value, value)
    return Complexity(**values)
