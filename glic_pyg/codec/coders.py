"""Entropy encoder and decoder: the two ends of :class:`~glic_pyg.models.base.EntropyCoder` that a file has.

Both turn means and scales into integers in the same way (``rounding``), code the symbols with integer tables
(``tables``, ``range_coder``), and run a CRC-32 over the integers that make up the latents: z symbols and
lattice coordinates of y_hat and corrected y_hat, in coding order. The encoder's CRC is in the file's header;
where the decoder's differs, an error is raised and no image returned.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck
from compressai.ops.bound_ops import LowerBoundFunction
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.codec.range_coder import SYMBOL_LIMIT, SymbolDecoder, SymbolEncoder
from glic_pyg.codec.rounding import (
    LATTICE,
    MARGIN,
    Rounded,
    TieKind,
    Ties,
    lattice_coordinates,
    level_coordinates,
    pack_ties,
    round_tracked,
    take_ties,
)
from glic_pyg.codec.tables import (
    LEAST_SCALE,
    LOG_SCALE_STEP,
    SCALE_LEVELS,
    Table,
    factorized_tables,
    gaussian_tables,
)
from glic_pyg.errors import CorruptFile, NonFiniteLatents

__all__ = [
    "EntropyDecoder",
    "EntropyEncoder",
    "PriorTables",
    "each_factorized_bits",
    "each_gaussian_bits",
    "factorized_bits",
    "gaussian_bits",
]

_LEAST_LIKELIHOOD = 1e-9


class PriorTables:
    """Cache of the integer tables of a model's factorized priors, each built at its first use."""

    def __init__(self) -> None:
        self._tables: dict[EntropyBottleneck, tuple[Table, ...]] = {}

    def of(self, bottleneck: EntropyBottleneck) -> tuple[Table, ...]:
        """Return the tables of ``bottleneck``, one per channel."""
        if bottleneck not in self._tables:
            self._tables[bottleneck] = factorized_tables(bottleneck)
        return self._tables[bottleneck]


class _FileCoder:
    """What both ends share: the tables, the checksum and the number of y values coded so far.

    Args:
        priors: tables of the factorized priors.

    Attributes:
        crc: CRC-32 of the latents so far.
        coded: number of values of y coded so far.
    """

    def __init__(self, priors: PriorTables) -> None:
        self.priors = priors
        self.coded = 0
        self.crc = 0

    def _update_crc(self, integers: Tensor) -> None:
        """Add integers of any shape to the checksum."""
        self.crc = zlib.crc32(np.ascontiguousarray(integers.cpu().numpy(), dtype="<i4").data, self.crc)

    def _y_hat(self, coordinates: Tensor) -> Tensor:
        """Count and checksum lattice coordinates, int64 of any shape; return their values in float64."""
        self._update_crc(coordinates)
        self.coded += coordinates.numel()
        return coordinates.double() / LATTICE


class EntropyEncoder(_FileCoder):
    """Encodes symbols to bytes, and lists the roundings that were close to a tie.

    Args:
        priors: tables of the factorized priors.
        estimate: also sum up the bits that the model's likelihoods predict.
        z: (1, C, h, w), coded in place of the z that the walk computes from y; ``None`` codes that one.

    Attributes:
        estimated_bits: sum of -log2 of the likelihoods so far; 0 without ``estimate``.
    """

    def __init__(self, priors: PriorTables, *, estimate: bool = False, z: Tensor | None = None) -> None:
        super().__init__(priors)
        self._z = z
        self._symbols = SymbolEncoder()
        self._ties: list[tuple[TieKind, Ties]] = []
        self._estimate = estimate
        self.estimated_bits = 0.0

    @torch.no_grad()
    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        values = values if self._z is None else self._z
        if values is None or tuple(values.shape) != tuple(shape):
            raise ValueError("The entropy encoder needs the values of z in the announced shape.")
        median = _medians(bottleneck, values.device)
        symbols = _symbols(values.double() - median)
        self._symbols.encode(_as_int32(symbols), _channel_indices(shape), self.priors.of(bottleneck))
        self._update_crc(symbols)
        if self._estimate:
            self.estimated_bits += float(factorized_bits(bottleneck, symbols + median))
        return symbols + median

    @torch.no_grad()
    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        if values is None or values.shape != means.shape:
            raise ValueError("The entropy encoder needs the values of y in the shape of the means.")
        _check_computed(means, scales)
        mean = round_tracked(lattice_coordinates(means), MARGIN * LATTICE)
        level = round_tracked(level_coordinates(scales), MARGIN / LOG_SCALE_STEP)
        self._note(mean, TieKind.LATTICE)
        self._note(level, TieKind.LEVEL)
        symbols = _symbols(values.double() - mean.values.double() / LATTICE)
        self._symbols.encode(_as_int32(symbols), _as_uint8(level.values), gaussian_tables())
        y_hat = self._y_hat(mean.values + LATTICE * symbols)
        if self._estimate:
            self.estimated_bits += float(gaussian_bits(y_hat - means, scales))
        return y_hat

    def lattice(self, values: Tensor) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        _check_computed(values)
        rounded = round_tracked(lattice_coordinates(values), MARGIN * LATTICE)
        self._note(rounded, TieKind.LATTICE)
        return self._y_hat(rounded.values)

    def finish(self) -> bytes:
        """Return the latents stream: the near-ties, then the coded symbols."""
        return pack_ties(self._ties) + self._symbols.finish()

    def _note(self, rounded: Rounded, kind: TieKind) -> None:
        if len(rounded.near):
            odd = rounded.values.flatten()[rounded.near.to(rounded.values.device)] & 1
            self._ties.append((kind, Ties(rounded.near.numpy() + self.coded, odd.cpu().numpy())))


class EntropyDecoder(_FileCoder):
    """Decodes the bytes of an :class:`EntropyEncoder`, and rounds near-ties as the encoder did.

    Args:
        priors: tables of the factorized priors.
        data: a latents stream.
        values: upper bound on the number of coded values of y.

    Raises:
        TruncatedFile, CorruptFile: the list of near-ties is damaged.
    """

    def __init__(self, priors: PriorTables, data: bytes, values: int) -> None:
        super().__init__(priors)
        self._ties, at = take_ties(data, 0, values)
        self._symbols = SymbolDecoder(data[at:])

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        if values is not None:
            raise ValueError("The entropy decoder returns z; it takes no values.")
        device = bottleneck.quantiles.device
        decoded = self._symbols.decode(_channel_indices(shape), self.priors.of(bottleneck))
        symbols = torch.from_numpy(decoded).to(device, torch.int64).reshape(shape)
        self._update_crc(symbols)
        return symbols + _medians(bottleneck, device)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`.

        Raises:
            CorruptFile: the file makes the entropy model compute what is not finite, or does not decode.
        """
        if values is not None:
            raise ValueError("The entropy decoder returns y; it takes no values.")
        _check_decoded(means, scales)
        mean = self._round(lattice_coordinates(means), TieKind.LATTICE)
        level = self._round(level_coordinates(scales), TieKind.LEVEL).clamp_max(SCALE_LEVELS - 1)
        decoded = self._symbols.decode(_as_uint8(level), gaussian_tables())
        symbols = torch.from_numpy(decoded).to(means.device, torch.int64).reshape(means.shape)
        return self._y_hat(mean + LATTICE * symbols)

    def lattice(self, values: Tensor) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`.

        Raises:
            CorruptFile: the file makes the entropy model compute what is not finite.
        """
        _check_decoded(values)
        return self._y_hat(self._round(lattice_coordinates(values), TieKind.LATTICE))

    def finish(self) -> None:
        """Check that every near-tie of the file was used.

        Raises:
            CorruptFile: one lies behind the last value.
        """
        if any(len(ties.indices) and ties.indices[-1] >= self.coded for ties in self._ties.values()):
            raise CorruptFile("A near-tie of the file lies outside the image; copy or download it again.")

    def _round(self, coordinates: Tensor, kind: TieKind) -> Tensor:
        """Round half up, except where the file states how the encoder rounded."""
        flat = coordinates.flatten()
        rounded = round_tracked(flat, 0.0).values
        ties = self._ties[kind].within(self.coded, len(flat))
        if len(ties.indices):
            indices, odd = (torch.from_numpy(values).to(flat.device) for values in (ties.indices, ties.odd))
            low = flat[indices].floor().to(torch.int64)
            rounded[indices] = low + (low % 2 != odd)
        return rounded.reshape(coordinates.shape)


def gaussian_bits(residual: Tensor, scales: Tensor) -> Tensor:
    """Bits that CompressAI's likelihoods (mass of the unit bin, at least 1e-9) predict for Gaussian latents.

    Args:
        residual: y_hat - mean, any shape.
        scales: standard deviations, the shape of ``residual``.

    Returns:
        Their sum, a scalar.
    """
    return each_gaussian_bits(residual, scales).sum()


def each_gaussian_bits(residual: Tensor, scales: Tensor) -> Tensor:
    """:func:`gaussian_bits` of every value, float64 of the shape of ``residual``."""
    spread = scales.clamp_min(LEAST_SCALE) * math.sqrt(2.0)
    distance = residual.abs()
    nearer = torch.erfc((distance - 0.5) / spread)
    return _bits((nearer - torch.erfc((distance + 0.5) / spread)) / 2)


def factorized_bits(bottleneck: EntropyBottleneck, z_hat: Tensor) -> Tensor:
    """Bits that a factorized prior predicts for values (1, C, h, w), which need not be rounded: a scalar."""
    return each_factorized_bits(bottleneck, z_hat).sum()


def each_factorized_bits(bottleneck: EntropyBottleneck, z_hat: Tensor) -> Tensor:
    """:func:`factorized_bits` of every value, float64 (1, C, h, w)."""
    channels = z_hat.transpose(0, 1).flatten(1)[:, None]
    # Private, for want of a public way: its forward pass rounds, and without that there is no gradient.
    likelihood, _, _ = bottleneck._likelihood(channels.to(bottleneck.quantiles.dtype))
    return _bits(likelihood).view(z_hat.transpose(0, 1).shape).transpose(0, 1)


def _bits(likelihood: Tensor) -> Tensor:
    """What is less likely than the floor still pulls towards it, and not the other way."""
    floor = likelihood.new_full((), _LEAST_LIKELIHOOD)
    bits: Tensor = -LowerBoundFunction.apply(likelihood, floor).double().log2()
    return bits


def _medians(bottleneck: EntropyBottleneck, device: torch.device) -> Tensor:
    """Medians of the prior, float64 (1, C, 1, 1)."""
    return bottleneck.quantiles[:, 0, 1].detach().to(device, torch.float64).reshape(1, -1, 1, 1)


def _channel_indices(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Channel of each element of a (1, C, h, w) tensor in memory order."""
    return np.repeat(np.arange(shape[1]), shape[2] * shape[3])


def _check_computed(*tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise NonFiniteLatents("The entropy model computed a value that is not finite for this image.")


def _check_decoded(*tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise CorruptFile("The latents stream is damaged: it leads to values that are not finite.")


def _symbols(residual: Tensor) -> Tensor:
    """Round to integers within the coder's limits: int64."""
    if not residual.isfinite().all():
        raise NonFiniteLatents("The model computed latents that are not finite for this image.")
    return residual.round().clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT).to(torch.int64)


def _as_int32(values: Tensor) -> NDArray[np.int32]:
    """Flat, on the CPU."""
    return values.flatten().cpu().numpy().astype(np.int32)


def _as_uint8(values: Tensor) -> NDArray[np.uint8]:
    """Flat, on the CPU."""
    return values.flatten().cpu().numpy().astype(np.uint8)
