"""The loop over groups of channels, and a group's networks behind a checkerboard."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from glic_pyg.models.checkerboard import SpatialContext
from glic_pyg.source.source_model import SourceModel


class ChannelSliceSource(SourceModel):
    """Groups of channels one after the other, each given all before it.

    Args:
        patch: side of a cell in pixels.
        groups: channels of each group; they sum to ``3 * patch**2``.

    Attributes:
        trunk: features ``(B, F, h, w)`` of x_hat.
        slices: one module a group, from its own errors ``(B, g, h, w)``, those of all earlier groups and the
            features to delta and rho, ``(B, 2g, h, w)``. Its own errors it reads in an order of its own.

    Raises:
        ValueError: if the groups do not sum to the channels of a cell.
    """

    def __init__(self, patch: int, groups: Sequence[int]) -> None:
        super().__init__(patch)
        if sum(groups) != self.grid.channels:
            raise ValueError(
                f"channel groups {tuple(groups)} sum to {sum(groups)}, not to the {self.grid.channels} "
                f"samples of a cell of {patch}x{patch} pixels."
            )
        self.groups = tuple(groups)
        self.before = tuple(accumulate(groups, initial=0))[:-1]
        """How many channels come before each group."""
        self.trunk: nn.Module
        self.slices: nn.ModuleList

    def predict(self, error: Tensor, x_hat: Tensor) -> Tensor:
        features = self.trunk(x_hat)
        predicted = [
            network(own, error[:, :first], features)
            for network, own, first in zip(self.slices, error.split(self.groups, 1), self.before, strict=True)
        ]
        deltas, rhos = zip(*(p.chunk(2, 1) for p in predicted), strict=True)
        return torch.cat([*deltas, *rhos], 1)


class CheckerboardSlice(nn.Module):
    """ELIC's space-channel context of one group: earlier groups everywhere, its own anchors elsewhere.

    Sites whose row + column is even are anchors; the others see the anchors around them. A decoder takes two
    passes. Here every symbol is known and ``entropy_parameters`` works site by site, so that one pass with
    the spatial context erased at the anchors gives the same numbers.

    Args:
        channels: of the group.
        channel_context: network of the earlier groups, or None for the first group.
        entropy_parameters: pointwise network of spatial context (2g), channel context and features.
    """

    def __init__(
        self, channels: int, channel_context: nn.Module | None, entropy_parameters: nn.Module
    ) -> None:
        super().__init__()
        self.channel_context = channel_context
        self.spatial_context = SpatialContext(channels, 2 * channels, kernel_size=5, padding=2)
        self.entropy_parameters = entropy_parameters

    def forward(self, own: Tensor, before: Tensor, features: Tensor) -> Tensor:
        known = [self.spatial_context(own).masked_fill(_anchors(own), 0)]
        if self.channel_context is not None:
            known.append(self.channel_context(before))
        return self.entropy_parameters(torch.cat([*known, features], 1))


def _anchors(cells: Tensor) -> Tensor:
    """``(h, w)`` bool, true where row + column is even."""
    row, column = (torch.arange(n, device=cells.device) for n in cells.shape[-2:])
    return (row[:, None] + column) % 2 == 0
