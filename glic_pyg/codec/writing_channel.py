"""The encoder's end of a channel: symbols become bytes, near-ties are noted."""

from __future__ import annotations

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor

from glic_pyg.codec.agreement import Channel, PriorTables, as_uint8, channel_numbers, medians
from glic_pyg.codec.entropy_coding import SYMBOL_LIMIT, SymbolWriter
from glic_pyg.codec.estimate import factorized_bits, gaussian_bits
from glic_pyg.codec.lattice import (
    LATTICE,
    MARGIN,
    Rounded,
    lattice_coordinates,
    level_coordinates,
    round_tracked,
)
from glic_pyg.codec.tables import LOG_SCALE_STEP, gaussian_tables
from glic_pyg.codec.ties import TieKind, Ties, pack_ties
from glic_pyg.errors import NonFiniteLatents

__all__ = ["WritingChannel"]


class WritingChannel(Channel):
    """The encoder's end.

    Args:
        priors: tables of the factorized priors.
        estimate: also sum up the bits that the model's own likelihoods predict.

    Attributes:
        crc: CRC-32 of the latents so far.
        estimated_bits: sum of -log2 of the likelihoods so far; 0 unless asked for.
    """

    def __init__(self, priors: PriorTables, *, estimate: bool = False) -> None:
        super().__init__(priors)
        self._writer = SymbolWriter()
        self._ties: list[tuple[TieKind, Ties]] = []
        self._estimate = estimate
        self.estimated_bits = 0.0

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        if values is None or tuple(values.shape) != tuple(shape):
            raise ValueError("The encoder's channel needs the values of z in the announced shape.")
        median = medians(bottleneck, values.device)
        symbols = _symbols(values.double() - median)
        self._writer.write(_as_int32(symbols), channel_numbers(shape), self.priors.of(bottleneck))
        self.account(symbols)
        if self._estimate:
            self.estimated_bits += factorized_bits(bottleneck, symbols)
        return symbols + median

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        if values is None or values.shape != means.shape:
            raise ValueError("The encoder's channel needs the values of y in the shape of the means.")
        _check_computed(means, scales)
        mean = round_tracked(lattice_coordinates(means), MARGIN * LATTICE)
        level = round_tracked(level_coordinates(scales), MARGIN / LOG_SCALE_STEP)
        self._note(mean, TieKind.LATTICE)
        self._note(level, TieKind.LEVEL)
        symbols = _symbols(values.double() - mean.values.double() / LATTICE)
        self._writer.write(_as_int32(symbols), as_uint8(level.values), gaussian_tables())
        y_hat = self.y_hat(mean.values + LATTICE * symbols)
        if self._estimate:
            self.estimated_bits += gaussian_bits(y_hat - means, scales)
        return y_hat

    def lattice(self, values: Tensor) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        _check_computed(values)
        rounded = round_tracked(lattice_coordinates(values), MARGIN * LATTICE)
        self._note(rounded, TieKind.LATTICE)
        return self.y_hat(rounded.values)

    def finish(self) -> bytes:
        """Return the latents stream: the near-ties, then the coded symbols."""
        return pack_ties(self._ties) + self._writer.finish()

    def _note(self, rounded: Rounded, kind: TieKind) -> None:
        if len(rounded.near):
            odd = rounded.values.flatten()[rounded.near.to(rounded.values.device)] & 1
            self._ties.append((kind, Ties(rounded.near.numpy() + self.coded, odd.cpu().numpy())))


def _check_computed(*tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise NonFiniteLatents("The entropy model computed a value that is not finite for this picture.")


def _symbols(residual: Tensor) -> Tensor:
    """Round to integers within the coder's limits: int64."""
    if not residual.isfinite().all():
        raise NonFiniteLatents("The model computed latents that are not finite for this picture.")
    return residual.round().clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT).to(torch.int64)


def _as_int32(values: Tensor) -> np.ndarray:
    return values.flatten().cpu().numpy().astype(np.int32)
