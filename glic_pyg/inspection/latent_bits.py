"""What every latent costs in a file: the encoder's own walk, and each value's bits put where it belongs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.codec.coders import EntropyEncoder, PriorTables, each_factorized_bits, each_gaussian_bits
from glic_pyg.models.base import LATENT_STRIDE, SIDE_STRIDE, Codec

__all__ = ["Bits", "coded"]

_EXACT = 2**24
"""Whole numbers below this are exact in float32."""


@dataclass(frozen=True, eq=False)
class Bits:
    """Bits of every latent of a file as the entropy model estimates them; the file has about 1 % more.

    Attributes:
        y: (M, h, w) float32, one position every 16 pixels, as many as cover the image.
        z: (N, h', w') float32, one position every 64 pixels, the last of a row or column for what is left.
    """

    y: NDArray[np.float32]
    z: NDArray[np.float32]

    @property
    def total(self) -> float:
        """Bits of all latents."""
        return float(self.y.sum(dtype=np.float64) + self.z.sum(dtype=np.float64))

    @property
    def per_position(self) -> NDArray[np.float32]:
        """(h, w), bits of y summed over channels, plus an equal share of the bits of z that cover it."""
        side, step = self.z.sum(0), SIDE_STRIDE // LATENT_STRIDE
        for axis, length in enumerate(self.y.shape[1:]):
            above = np.minimum(np.arange(length) // step, side.shape[axis] - 1)
            counts = np.bincount(above, minlength=side.shape[axis]).clip(1)
            side = (side / np.expand_dims(counts, 1 - axis)).take(above, axis)
        per_position: NDArray[np.float32] = (self.y.sum(0) + side).astype(np.float32)
        return per_position

    def per_pixel(self, height: int, width: int) -> NDArray[np.float32]:
        """(height, width), bits per pixel of the image, constant over squares of 16 x 16 pixels."""
        squares = self.per_position / LATENT_STRIDE**2
        return squares.repeat(LATENT_STRIDE, axis=0).repeat(LATENT_STRIDE, axis=1)[:height, :width]


def coded(model: Codec, y: Tensor) -> tuple[Tensor, Bits]:
    """Code scaled latents as a file does: y_hat, still scaled, float64, and what every latent costs.

    Args:
        model: in eval mode.
        y: (1, M, h, w) float32.
    """
    encoder, shape = _Recorder(PriorTables()), (y.shape[2], y.shape[3])
    y_hat = model.code_latents(encoder, y, shape=shape)
    places, order = y.numel(), torch.zeros(y.numel(), dtype=torch.int64, device=y.device)
    for unit in (1, _EXACT) if places > _EXACT else (1,):
        index = torch.arange(places, device=y.device) // unit % _EXACT
        replay = _Replay(encoder)
        model.code_latents(replay, index.float().view_as(y), shape=shape)
        order += unit * torch.cat(replay.seen).long()
    bits = torch.empty(places, dtype=torch.float32, device=y.device)
    bits[order] = torch.cat(encoder.costs)
    return y_hat, Bits(bits.view(y.shape[1:]).cpu().numpy(), encoder.side_costs.cpu().numpy())


class _Recorder(EntropyEncoder):
    """An encoder that keeps what it answered and what each value cost.

    Attributes:
        answers: of every call, in order.
        costs: bits of the values of each call for y, flat.
        side_costs: of z, (N, h', w').
    """

    side_costs: Tensor

    def __init__(self, priors: PriorTables) -> None:
        super().__init__(priors)
        self.answers: list[Tensor] = []
        self.costs: list[Tensor] = []

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        z_hat = super().factorized(bottleneck, shape, values)
        self.side_costs = each_factorized_bits(bottleneck, z_hat)[0].float()
        return self._kept(z_hat)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        y_hat = super().gaussian(means, scales, values)
        self.costs.append(each_gaussian_bits(y_hat - means, scales).flatten().float())
        return self._kept(y_hat)

    def lattice(self, values: Tensor) -> Tensor:
        return self._kept(super().lattice(values))

    def _kept(self, answer: Tensor) -> Tensor:
        self.answers.append(answer)
        return answer


class _Replay:
    """Answers as a recorder did, and keeps the values that it is given for y in place of the latents."""

    def __init__(self, recorder: _Recorder) -> None:
        self._answers = iter(recorder.answers)
        self.seen: list[Tensor] = []

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        return next(self._answers)

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        assert values is not None
        self.seen.append(values.flatten())
        return next(self._answers)

    def lattice(self, values: Tensor) -> Tensor:
        return next(self._answers)
