"""The two ends of a :class:`~glic_pyg.models.contract.SymbolChannel`: one writes a file, one reads it.

Both turn means and scales into integers the same way (``lattice``) and both run a CRC-32 over the integers
that make up the latents, z symbols and lattice coordinates of y_hat and corrected y_hat, in coding order.
The encoder's goes into the header; where the decoder's differs there is an error and no picture.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor

from glic_pyg.codec.entropy_coding import SYMBOL_LIMIT, SymbolReader, SymbolWriter
from glic_pyg.codec.errors import CorruptFile, NonFiniteLatents
from glic_pyg.codec.estimate import factorized_bits, gaussian_bits
from glic_pyg.codec.lattice import (
    LATTICE,
    MARGIN,
    Rounded,
    lattice_coordinates,
    level_coordinates,
    round_tracked,
)
from glic_pyg.codec.tables import LOG_SCALE_STEP, SCALE_LEVELS, Table, factorized_tables, gaussian_tables
from glic_pyg.codec.ties import Tie, TieKind, pack_ties, take_ties

__all__ = ["PriorTables", "ReadingChannel", "WritingChannel"]


class PriorTables:
    """The tables of a model's factorized priors, built when first asked for."""

    def __init__(self) -> None:
        self._tables: dict[EntropyBottleneck, tuple[Table, ...]] = {}

    def of(self, bottleneck: EntropyBottleneck) -> tuple[Table, ...]:
        """Return the tables of ``bottleneck``, one a channel."""
        if bottleneck not in self._tables:
            self._tables[bottleneck] = factorized_tables(bottleneck)
        return self._tables[bottleneck]


class _Channel:
    """What both ends share: the checksum and the count of y values so far."""

    def __init__(self, priors: PriorTables) -> None:
        self._priors = priors
        self._coded = 0
        self.crc = 0

    def _account(self, integers: Tensor) -> None:
        self.crc = zlib.crc32(np.ascontiguousarray(integers.cpu().numpy(), dtype="<i4").data, self.crc)

    def _y_hat(self, coordinates: Tensor) -> Tensor:
        self._account(coordinates)
        self._coded += coordinates.numel()
        return coordinates.double() / LATTICE


class WritingChannel(_Channel):
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
        self._ties: list[Tie] = []
        self._estimate = estimate
        self.estimated_bits = 0.0

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """See :class:`~glic_pyg.models.contract.SymbolChannel`."""
        if values is None or tuple(values.shape) != tuple(shape):
            raise ValueError("The encoder's channel needs the values of z in the announced shape.")
        medians = _medians(bottleneck, values.device)
        symbols = _symbols(values.double() - medians)
        self._writer.write(_as_int32(symbols), _channel_numbers(shape), self._priors.of(bottleneck))
        self._account(symbols)
        if self._estimate:
            self.estimated_bits += factorized_bits(bottleneck, symbols)
        return symbols + medians

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """See :class:`~glic_pyg.models.contract.SymbolChannel`."""
        if values is None or values.shape != means.shape:
            raise ValueError("The encoder's channel needs the values of y in the shape of the means.")
        _check_computed(means, scales)
        mean = round_tracked(lattice_coordinates(means), MARGIN * LATTICE)
        level = round_tracked(level_coordinates(scales), MARGIN / LOG_SCALE_STEP)
        self._note(mean, TieKind.LATTICE)
        self._note(level, TieKind.LEVEL)
        symbols = _symbols(values.double() - mean.values.double() / LATTICE)
        self._writer.write(_as_int32(symbols), _as_uint8(level.values), gaussian_tables())
        y_hat = self._y_hat(mean.values + LATTICE * symbols)
        if self._estimate:
            self.estimated_bits += gaussian_bits(y_hat - means, scales)
        return y_hat

    def lattice(self, values: Tensor) -> Tensor:
        """See :class:`~glic_pyg.models.contract.SymbolChannel`."""
        _check_computed(values)
        rounded = round_tracked(lattice_coordinates(values), MARGIN * LATTICE)
        self._note(rounded, TieKind.LATTICE)
        return self._y_hat(rounded.values)

    def finish(self) -> bytes:
        """Return the latents stream: the near-ties, then the coded symbols."""
        return pack_ties(self._ties) + self._writer.finish()

    def _note(self, rounded: Rounded, kind: TieKind) -> None:
        if len(rounded.near):
            odd = rounded.values.flatten()[rounded.near.to(rounded.values.device)] & 1
            for place, bit in zip(rounded.near.tolist(), odd.tolist(), strict=True):
                self._ties.append(Tie(self._coded + place, kind, bool(bit)))


class ReadingChannel(_Channel):
    """The decoder's end.

    Args:
        priors: tables of the factorized priors.
        data: a latents stream.

    Raises:
        TruncatedFile, CorruptFile: the list of near-ties is damaged.
    """

    def __init__(self, priors: PriorTables, data: bytes) -> None:
        super().__init__(priors)
        ties, at = take_ties(data, 0)
        self._ties = {kind: [tie for tie in ties if tie.kind is kind] for kind in TieKind}
        self._reader = SymbolReader(data[at:])

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """See :class:`~glic_pyg.models.contract.SymbolChannel`."""
        if values is not None:
            raise ValueError("The decoder's channel reads z; it takes no values.")
        device = bottleneck.quantiles.device
        coded = self._reader.read(_channel_numbers(shape), self._priors.of(bottleneck))
        symbols = torch.from_numpy(coded).to(device, torch.int64).reshape(shape)
        self._account(symbols)
        return symbols + _medians(bottleneck, device)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """See :class:`~glic_pyg.models.contract.SymbolChannel`.

        Raises:
            CorruptFile: the file makes the entropy model compute what is not finite, or does not decode.
        """
        if values is not None:
            raise ValueError("The decoder's channel reads y; it takes no values.")
        _check_decoded(means, scales)
        mean = self._settle(lattice_coordinates(means), TieKind.LATTICE)
        level = self._settle(level_coordinates(scales), TieKind.LEVEL).clamp_max(SCALE_LEVELS - 1)
        coded = self._reader.read(_as_uint8(level), gaussian_tables())
        symbols = torch.from_numpy(coded).to(means.device, torch.int64).reshape(means.shape)
        return self._y_hat(mean + LATTICE * symbols)

    def lattice(self, values: Tensor) -> Tensor:
        """See :class:`~glic_pyg.models.contract.SymbolChannel`.

        Raises:
            CorruptFile: the file makes the entropy model compute what is not finite.
        """
        _check_decoded(values)
        return self._y_hat(self._settle(lattice_coordinates(values), TieKind.LATTICE))

    def _settle(self, coordinates: Tensor, kind: TieKind) -> Tensor:
        """Round half up, except where the file says how the encoder rounded."""
        flat = coordinates.flatten()
        rounded = round_tracked(flat, 0.0).values
        for tie in self._ties_within(self._ties[kind], coordinates.numel()):
            place = tie.place - self._coded
            low = int(flat[place].floor())
            rounded[place] = low if low % 2 == tie.odd else low + 1
        return rounded.reshape(coordinates.shape)

    def _ties_within(self, ties: Sequence[Tie], count: int) -> Sequence[Tie]:
        return ties[
            bisect_left(ties, self._coded, key=lambda tie: tie.place) : bisect_left(
                ties, self._coded + count, key=lambda tie: tie.place
            )
        ]


def _check_computed(*tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise NonFiniteLatents("The entropy model computed a value that is not finite for this picture.")


def _check_decoded(*tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise CorruptFile("The latents stream is damaged: it leads to values that are not finite.")


def _medians(bottleneck: EntropyBottleneck, device: torch.device) -> Tensor:
    """Medians of the prior, float64 (1, C, 1, 1)."""
    return bottleneck.quantiles[:, 0, 1].detach().to(device, torch.float64).reshape(1, -1, 1, 1)


def _symbols(residual: Tensor) -> Tensor:
    """Round to integers within the coder's limits: int64."""
    if not residual.isfinite().all():
        raise NonFiniteLatents("The model computed latents that are not finite for this picture.")
    return residual.round().clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT).to(torch.int64)


def _channel_numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Channel of each element of a (1, C, h, w) tensor in memory order."""
    return np.repeat(np.arange(shape[1]), shape[2] * shape[3])


def _as_int32(values: Tensor) -> np.ndarray:
    return values.flatten().cpu().numpy().astype(np.int32)


def _as_uint8(values: Tensor) -> np.ndarray:
    return values.flatten().cpu().numpy().astype(np.uint8)
