"""The checkerboard context model: two passes over the latents of a group, and its masked convolutions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from compressai.latent_codecs import CheckerboardLatentCodec
from compressai.layers import CheckerboardMaskedConv2d, MaskedConv2d
from compressai.ops import quantize_ste
from torch import Tensor, nn

from glic_pyg.nn import Rescale
from glic_pyg.nn.pointwise import map_of, rows_of


class HalvesCheckerboard(CheckerboardLatentCodec):
    """Two passes over a checkerboard (ELIC, arXiv 2203.10886), as CompressAI's ``"twopass"`` computes them.

    CompressAI runs the entropy parameters on all places twice and masks half of each result. They are
    pointwise, so running them once on the anchors and once on the rest gives the same at half the cost.

    Shapes: y ``(B, C, h, w)``, w even, and the parameters ``(B, P, h, w)`` -> likelihoods and y_hat like y.
    """

    def forward(self, y: Tensor, side_params: Tensor) -> dict[str, Any]:
        values, sides = self._halves(y), self._halves(side_params)
        context = torch.zeros_like(torch.cat([values[0], values[0]], 1))
        anchors, anchor_params = self._pass(values[0], context, sides[0])
        context = self.context_prediction(self._whole(anchors, torch.zeros_like(anchors)))
        others, other_params = self._pass(values[1], self._halves(context)[1], sides[1])
        out = self.latent_codec["y"](y, self._whole(anchor_params, other_params))
        return {"likelihoods": {"y": out["likelihoods"]["y"]}, "y_hat": self._whole(anchors, others)}

    def _pass(self, y: Tensor, context: Tensor, side_params: Tensor) -> tuple[Tensor, Tensor]:
        """y_hat and the parameters of its Gaussians, at half of the places."""
        params = self.entropy_parameters(self.merge(context, side_params))
        _, means = params.chunk(2, 1)
        return quantize_ste(y - means) + means, params

    def _halves(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, h, w)`` -> anchors and the rest, ``(B, C, h, w / 2)`` each."""
        h, w = whole.shape[2:]
        order, back = _order(h, w, self.anchor_parity, whole.device)
        rows = _Reordered.apply(rows_of(whole).flatten(1, 2), order, back)
        anchors, others = (map_of(half.unflatten(1, (h, w // 2))) for half in rows.chunk(2, 1))
        return anchors, others

    def _whole(self, anchors: Tensor, others: Tensor) -> Tensor:
        """The inverse of :meth:`_halves`."""
        rows = torch.cat([rows_of(half).flatten(1, 2) for half in (anchors, others)], 1)
        h, w = anchors.shape[2], 2 * anchors.shape[3]
        order, back = _order(h, w, self.anchor_parity, rows.device)
        return map_of(_Reordered.apply(rows, back, order).unflatten(1, (h, w)))


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # kept for training as well, wherever they are first asked for
def _order(h: int, w: int, anchor_parity: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Places of an h x w map, anchors first, and where each place went; ``(h w,)`` int64 both."""
    row, column = torch.arange(h, device="cpu")[:, None], torch.arange(w, device="cpu")
    is_anchor = (row + column) % 2 == (anchor_parity == "odd")
    order = (~is_anchor).flatten().byte().argsort(stable=True)
    return order.to(device), order.argsort().to(device)


class _Reordered(torch.autograd.Function):
    """Rows ``(B, N, C)`` in another order; the way back is the inverse order."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return rows.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return grad.index_select(1, back), None, None


class _MaskedConv(MaskedConv2d):
    """A masked convolution that leaves its stored weight alone, unlike CompressAI's, which overwrites it.

    The weight keeps its bytes, and the model its hash, when the model runs; masked taps get no gradient.

    Args:
        in_channels, out_channels: C and 2C.
        rescaled: multiply its input channels by fixed factors first, see :class:`~glic_pyg.nn.Rescale`.
        kernel_size, padding: as of a convolution.
    """

    rescale: Rescale | None

    def __init__(self, in_channels: int, out_channels: int, *, rescaled: bool = False, **kernel: int) -> None:
        super().__init__(in_channels, out_channels, **kernel)
        self.register_module("rescale", Rescale(in_channels) if rescaled else None)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)`` -> ``(B, 2C, h, w)``."""
        return self._conv_forward(x, self.taps() * self.mask, self.bias)

    def taps(self) -> Tensor:
        """The kernel that x is convolved with, but for the mask: the weight, its input channels rescaled."""
        return self.weight if self.rescale is None else self.weight * self.rescale.factor[:, None, None]


class CausalContext(_MaskedConv):
    """Reads the places above and to the left (type A, arXiv 1606.05328)."""


class SpatialContext(_MaskedConv, CheckerboardMaskedConv2d):
    """Reads the places of the checkerboard's other colour (arXiv 2103.15306)."""


class SecondHalfContext(nn.Module):
    """A 5x5 :class:`SpatialContext` that computes only what is asked of it, a quarter of its products.

    The mask drops half of the taps, and only the second half of the checkerboard asks. With the first half
    pushed together as CompressAI's codec does it, the places that a tap row reads lie side by side, two in
    every other row of the kernel and three in the others, the two further to the left by one if the row that
    asks is odd: two dense kernels of 5x3.

    Shapes: first half ``(B, C, h, w / 2)``, h even -> second half ``(B, 2C, h, w / 2)``.
    """

    def __init__(self, context: SpatialContext) -> None:
        super().__init__()
        self.context = context

    def forward(self, first: Tensor) -> Tensor:
        weight, bias = self.context.taps(), self.context.bias
        even, odd = (weight.new_zeros(*weight.shape[:3], 3) for _ in range(2))
        even[:, :, 1::2] = odd[:, :, 1::2] = weight[:, :, 1::2, 0::2]
        even[:, :, 0::2, 1:] = odd[:, :, 0::2, :2] = weight[:, :, 0::2, 1::2]
        padded = F.pad(first, (1, 1, 2, 2))
        second = first.new_empty(len(first), len(weight), *first.shape[2:])
        second[:, :, 0::2] = F.conv2d(padded, even, bias, stride=(2, 1))
        second[:, :, 1::2] = F.conv2d(padded[:, :, 1:], odd, bias, stride=(2, 1))
        return second


OTHERS, ANCHORS = 0, 1
"""Parity of row + column, as MLIC++ counts: the top left site is no anchor.

Half a map keeps all rows and, in each, every second column; h and w are even.
"""


def half_of(x: Tensor, parity: int) -> Tensor:
    """The sites of one parity: ``(..., h, w)`` -> ``(..., h, w/2)``."""
    even_rows, odd_rows = x[..., 0::2, parity::2], x[..., 1::2, 1 - parity :: 2]
    return torch.stack([even_rows, odd_rows], -2).flatten(-3, -2)


def weave(others: Tensor, anchors: Tensor) -> Tensor:
    """Both halves ``(..., h, w/2)`` in one map ``(..., h, w)``."""
    even_rows = torch.stack([others[..., 0::2, :], anchors[..., 0::2, :]], -1).flatten(-2)
    odd_rows = torch.stack([anchors[..., 1::2, :], others[..., 1::2, :]], -1).flatten(-2)
    return torch.stack([even_rows, odd_rows], -2).flatten(-3, -2)


def only(half: Tensor, parity: int) -> Tensor:
    """One half in a map that is 0 elsewhere: ``(..., h, w/2)`` -> ``(..., h, w)``."""
    nothing = torch.zeros_like(half)
    return weave(nothing, half) if parity == ANCHORS else weave(half, nothing)


def is_anchor(height: int, width: int, device: torch.device) -> Tensor:
    """``(height, width)`` bool."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    return (rows[:, None] + columns) % 2 == ANCHORS
