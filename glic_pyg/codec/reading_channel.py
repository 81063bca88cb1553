"""The decoder's end of a channel: bytes become symbols, near-ties are settled as the encoder settled them."""

from __future__ import annotations

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor

from glic_pyg.codec.agreement import Channel, PriorTables, as_uint8, channel_numbers, medians
from glic_pyg.codec.entropy_coding import SymbolReader
from glic_pyg.codec.lattice import LATTICE, lattice_coordinates, level_coordinates, round_tracked
from glic_pyg.codec.tables import SCALE_LEVELS, gaussian_tables
from glic_pyg.codec.ties import TieKind, take_ties
from glic_pyg.errors import CorruptFile

__all__ = ["ReadingChannel"]


class ReadingChannel(Channel):
    """The decoder's end.

    Args:
        priors: tables of the factorized priors.
        data: a latents stream.
        values: how many values of y are coded at most.

    Raises:
        TruncatedFile, CorruptFile: the list of near-ties is damaged.
    """

    def __init__(self, priors: PriorTables, data: bytes, values: int) -> None:
        super().__init__(priors)
        self._ties, at = take_ties(data, 0, values)
        self._reader = SymbolReader(data[at:])

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        if values is not None:
            raise ValueError("The decoder's channel reads z; it takes no values.")
        device = bottleneck.quantiles.device
        coded = self._reader.read(channel_numbers(shape), self.priors.of(bottleneck))
        symbols = torch.from_numpy(coded).to(device, torch.int64).reshape(shape)
        self.account(symbols)
        return symbols + medians(bottleneck, device)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`.

        Raises:
            CorruptFile: the file makes the entropy model compute what is not finite, or does not decode.
        """
        if values is not None:
            raise ValueError("The decoder's channel reads y; it takes no values.")
        _check_decoded(means, scales)
        mean = self._settle(lattice_coordinates(means), TieKind.LATTICE)
        level = self._settle(level_coordinates(scales), TieKind.LEVEL).clamp_max(SCALE_LEVELS - 1)
        coded = self._reader.read(as_uint8(level), gaussian_tables())
        symbols = torch.from_numpy(coded).to(means.device, torch.int64).reshape(means.shape)
        return self.y_hat(mean + LATTICE * symbols)

    def lattice(self, values: Tensor) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`.

        Raises:
            CorruptFile: the file makes the entropy model compute what is not finite.
        """
        _check_decoded(values)
        return self.y_hat(self._settle(lattice_coordinates(values), TieKind.LATTICE))

    def finish(self) -> None:
        """Check that every near-tie of the file was met.

        Raises:
            CorruptFile: one lies behind the last value.
        """
        if any(len(ties.places) and ties.places[-1] >= self.coded for ties in self._ties.values()):
            raise CorruptFile("A near-tie of the file lies outside the image; copy or download it again.")

    def _settle(self, coordinates: Tensor, kind: TieKind) -> Tensor:
        """Round half up, except where the file says how the encoder rounded."""
        flat = coordinates.flatten()
        rounded = round_tracked(flat, 0.0).values
        ties = self._ties[kind].within(self.coded, len(flat))
        if len(ties.places):
            places, odd = (torch.from_numpy(values).to(flat.device) for values in (ties.places, ties.odd))
            low = flat[places].floor().to(torch.int64)
            rounded[places] = low + (low % 2 != odd)
        return rounded.reshape(coordinates.shape)


def _check_decoded(*tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise CorruptFile("The latents stream is damaged: it leads to values that are not finite.")
