"""The steps of learned codecs' ladders, and which of them make one curve."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from glic_pyg.codec.goal import Goal
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.comparison import CodecUnderTest, learned_rung
from glic_pyg.evaluation.measure import Rung

__all__ = ["QUALITIES", "RatedCodec", "learned_ladders"]

QUALITIES = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 100.0)
"""Of a variable-rate model, where none are given."""

_LMBDA = re.compile(r"(?P<model>.+?)-(?P<lmbda>\d[\d.]*(e-?\d+)?)")


class RatedCodec(CodecUnderTest, Protocol):
    """A codec that says whether it has qualities."""

    @property
    def variable_rate(self) -> bool:
        """Whether a quality can be asked for."""


def learned_ladders(
    codecs: Sequence[RatedCodec], qualities: Sequence[float] = QUALITIES, identities: Sequence[str] = ()
) -> list[Rung]:
    """Every codec at every quality that it has.

    Weights of variable rate are a curve each, called like the weights, with a step for every quality. Weights
    of a fixed rate are one step; those called alike but for the λ at the end of their names
    (``glic-0.0035``, ``glic-0.0067``) make one curve, ``glic-λ``, as papers draw it.

    Args:
        codecs: ours, each with its weights.
        qualities: 0 to 100.
        identities: one a codec, see :class:`~glic_pyg.evaluation.measure.Rung`; by default none is known.

    Raises:
        GlicError: two weights have one name.
    """
    rungs = []
    for number, codec in enumerate(codecs):
        identity = identities[number] if identities else None
        rungs += [replace(rung, identity=identity) for rung in _ladder(codec, qualities)]
    names = [(rung.codec, rung.setting) for rung in rungs]
    if doubles := [name for name in names if names.count(name) > 1]:
        raise GlicError(f"Two weights are called {doubles[0][0]}; rename one, to tell them apart.")
    return rungs


def _ladder(codec: RatedCodec, qualities: Sequence[float]) -> list[Rung]:
    if codec.variable_rate:
        return [
            replace(learned_rung(codec, Goal("quality", q)), codec=codec.name, setting=f"quality {q:g}")
            for q in qualities
        ]
    name = _LMBDA.fullmatch(codec.name)
    if name is None:
        return [replace(learned_rung(codec), codec=codec.name, setting="its one rate")]
    return [replace(learned_rung(codec), codec=f"{name['model']}-λ", setting=f"λ {name['lmbda']}")]
