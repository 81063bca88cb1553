"""Haar side branch: learned linear maps of one-level Haar bands, with their orthogonality loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glic_pyg.nn.pointwise import map_of, rows_of
from glic_pyg.nn.precision import full_precision

# Rows: bands LL, LH, HL, HH. Columns: the places a, b, c, d of a 2x2 block [[a, b], [c, d]].
_HAAR = ((0.5, 0.5, 0.5, 0.5), (0.5, 0.5, -0.5, -0.5), (0.5, -0.5, 0.5, -0.5), (0.5, -0.5, -0.5, 0.5))


class HaarBranch(nn.Module):
    """Base of both directions: 4 bands with a learned log-scale, a linear map and its orthogonality loss.

    Haar, scale and linear map are linear in the pixels, so each step folds them into ONE matrix
    over 2x2 blocks of pixels: the bands themselves are never written to memory.

    It runs in full precision: the branch carries the image itself, which bfloat16 rounds to two grey levels.
    """

    haar: Tensor

    def __init__(self, band_channels: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        scaling = torch.zeros(4, band_channels)
        scaling[:3] = 0.5
        self.scaling = nn.Parameter(scaling.flatten())
        self.register_buffer("haar", torch.tensor(_HAAR), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to half or twice the resolution, in the dtype of the parameters."""
        with full_precision(x.device.type):
            return map_of(self._transform(rows_of(x.to(self.linear.weight.dtype))))

    def _transform(self, rows: Tensor) -> Tensor:
        """:meth:`forward` of ``(B, H, W, C)`` rows."""
        raise NotImplementedError

    def ortho_loss(self) -> Tensor:
        """Mean squared error between I and W Wᵀ (in > out) or Wᵀ W, a scalar (GLIC section 2)."""
        w = self.linear.weight
        gram = w @ w.T if w.shape[1] > w.shape[0] else w.T @ w
        return F.mse_loss(gram, torch.eye(gram.shape[0], dtype=gram.dtype, device=gram.device))


class HaarDown(HaarBranch):
    """Halve the resolution: Haar bands of each channel, scaled by exp(scaling), mixed linearly.

    Shapes: ``(B, in_channels, H, W)`` -> ``(B, out_channels, H/2, W/2)``, H and W even.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, 4 * in_channels, out_channels)

    def _transform(self, rows: Tensor) -> Tensor:
        by_band = (self.linear.weight * self.scaling.exp()).unflatten(1, (4, -1))
        by_place = torch.einsum("obc,bp->opc", by_band, self.haar)
        b, h, w, c = rows.shape
        blocks = rows.view(b, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(b, h // 2, w // 2, 4 * c)
        return F.linear(blocks, by_place.flatten(1), self.linear.bias)


class HaarUp(HaarBranch):
    """Double the resolution: mix linearly into bands, divide by exp(scaling), inverse Haar.

    Shapes: ``(B, in_channels, H, W)`` -> ``(B, out_channels, 2H, 2W)``.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(out_channels, in_channels, 4 * out_channels)

    def _transform(self, rows: Tensor) -> Tensor:
        scale = self.scaling.neg().exp()
        by_band = (self.linear.weight * scale[:, None]).unflatten(0, (4, -1))
        by_place = torch.einsum("bci,bp->pci", by_band, self.haar)
        bias = torch.einsum("bc,bp->pc", (self.linear.bias * scale).unflatten(0, (4, -1)), self.haar)
        places = F.linear(rows, by_place.flatten(0, 1), bias.flatten())
        b, h, w, _ = rows.shape
        blocks = places.view(b, h, w, 2, 2, -1).transpose(2, 3)
        return blocks.reshape(b, 2 * h, 2 * w, -1)
