"""Context of MLIC++ by attention: locally inside a window, globally at a cost linear in the sites."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glic_pyg.models.checkerboard import ANCHORS, OTHERS, half_of, is_anchor, only

SITES_AT_ONCE = 512
LARGEST_WINDOW = 31
UNSEEN = -100.0  # finite as in the authors' code: a query that sees nothing attends to all alike


class LocalAttention(nn.Module):
    r"""Checkerboard window attention (MLIC++, local context).

    The window around a site is a set of tokens that all attend to one another,

    .. math:: a_{ij} = \mathrm{softmax}_j\left(q_i \cdot k_j / \sqrt{d} + b_{ij} + m_{ij}\right),

    with a learned bias b of the offset and m = 0 where i and j are both anchors of the image, -100 elsewhere.
    A convolution over the whole window then makes one vector of it. Heads take every ``heads``-th channel of
    q, k and v, but give contiguous ones: so it stands in the published weights.

    We compute the sites that are coded next, the non-anchors, alone and ``SITES_AT_ONCE`` at a time; their
    attention is computed again for the gradient, so that memory grows with the tokens, not with their pairs.

    Args:
        channels: C, of a slice.
        heads: of size C / heads.
        window: odd side of the window, at most 31: memory grows with its fourth power.

    Raises:
        ValueError: there is no such window.

    Shapes: anchors ``(B, C, h, w)``, 0 at the other sites -> ``(B, 2C, h, w/2)`` at the other sites.
    """

    offsets: Tensor

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        if window not in range(1, LARGEST_WINDOW + 1, 2):
            raise ValueError(f"a window has an odd side of at most {LARGEST_WINDOW}, not {window}")
        self.window = window
        self.norm_in = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        self.fusion = nn.Conv2d(channels, 2 * channels, window)
        self.proj = nn.Linear(2 * channels, 2 * channels)
        self.norm_out = nn.LayerNorm(2 * channels)
        self.mlp = nn.Sequential(
            nn.Linear(2 * channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, 2 * channels)
        )
        self.register_buffer("offsets", _offset_numbers(window), persistent=False)
        nn.init.trunc_normal_(self.bias_table, std=0.02)

    def forward(self, anchors: Tensor) -> Tensor:
        height, width = anchors.shape[-2:]
        qkv = self._padded(self.qkv(self.norm_in(anchors.permute(0, 2, 3, 1))))
        seen = self._padded(is_anchor(height, width, anchors.device)[None, :, :, None])
        bias = self.bias_table[self.offsets].permute(2, 0, 1)
        arguments = (bias, self.fusion.weight, self.fusion.bias)
        f = torch.cat([_attend(*block, *arguments) for block in self._blocks(qkv, seen)], 1)
        f = self.proj(f)
        return (f + self.mlp(self.norm_out(f))).permute(0, 3, 1, 2)

    def _padded(self, rows: Tensor) -> Tensor:
        """``(B, h, w, C)`` with half a window of zeros on each side: no token lies outside the image."""
        half = self.window // 2
        return F.pad(rows, (0, 0, half, half, half, half))

    def _blocks(self, qkv: Tensor, seen: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Pairs of rows with their halo, in groups of about ``SITES_AT_ONCE`` sites."""
        halo = self.window - 1
        height, width = qkv.shape[1] - halo, qkv.shape[2] - halo
        size = 2 * max(1, SITES_AT_ONCE // (qkv.shape[0] * width))
        spans = [(first, min(first + size, height) + halo) for first in range(0, height, size)]
        return [(qkv[:, first:last], seen[:, first:last]) for first, last in spans]


def _attend(*arguments: Tensor | None) -> Tensor:
    """:func:`_window_attention`, keeping nothing but its arguments for the gradient."""
    if torch.is_grad_enabled():
        return checkpoint(_window_attention, *arguments, use_reentrant=False, preserve_rng_state=False)
    return _window_attention(*arguments)  # type: ignore[arg-type]


def _window_attention(
    qkv: Tensor, seen: Tensor, bias: Tensor, weight: Tensor, weight_bias: Tensor | None
) -> Tensor:
    """Attention in the windows of all non-anchors, and the convolution over each window.

    Args:
        qkv: ``(B, r + k - 1, w + k - 1, 3C)``, r even rows with the halo of a window of side k.
        seen: ``(1, r + k - 1, w + k - 1, 1)`` bool, the anchors inside the image.
        bias: ``(heads, k * k, k * k)``, by query and key.
        weight, weight_bias: of the convolution, ``(2C, C, k, k)`` and ``(2C,)``.

    Returns:
        ``(B, r, w/2, 2C)``.
    """
    heads, window = bias.shape[0], weight.shape[-1]
    tokens = _windows(qkv, window).unflatten(3, (3, -1, heads))
    q, k, v = tokens.permute(3, 0, 1, 2, 5, 6, 4).unbind()  # each (B, r, w/2, heads, k * k, d)
    visible = _windows(seen, window)
    mask = UNSEEN * ~(visible.unsqueeze(-1) & visible.unsqueeze(-2))
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias + mask
    attended = logits.softmax(-1) @ v
    by_token = weight.flatten(2).unflatten(1, (heads, -1)).transpose(2, 3)
    return F.linear(attended.flatten(-3), by_token.flatten(1), weight_bias)


def _windows(rows: Tensor, window: int) -> Tensor:
    """The windows around the non-anchors: ``(B, r + k - 1, w + k - 1, C)`` -> ``(B, r, w/2, C, k * k)``."""
    all_sites = rows.unfold(1, window, 1).unfold(2, window, 1)
    others = torch.stack([all_sites[:, 0::2, 0::2], all_sites[:, 1::2, 1::2]], 2)
    return others.flatten(1, 2).flatten(-2)


def _offset_numbers(window: int) -> Tensor:
    """Which row of the bias table belongs to a query i and a key j, ``(k * k, k * k)``."""
    site = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    row, column = (site[:, None] - site + window - 1).unbind(-1)
    return row * (2 * window - 1) + column


def linear_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    r"""Attention whose pairs of sites are never formed.

    .. math:: \mathrm{out} = \left(\mathrm{softmax}_n(K)\, V^\top\right)^\top \mathrm{softmax}_e(Q)

    for the e channels of each head; heads are contiguous blocks of channels.

    Shapes: q ``(B, C, h, w)``, k and v ``(B, C, ...)`` of equally many sites each -> as q.
    """
    queries = q.flatten(2).unflatten(1, (heads, -1)).softmax(-2)
    keys = k.flatten(2).unflatten(1, (heads, -1)).softmax(-1)
    summary = v.flatten(2).unflatten(1, (heads, -1)) @ keys.transpose(-1, -2)
    return (summary @ queries).reshape(q.shape)


class InterSliceAttention(nn.Module):
    """What the slices decoded so far say about all sites (MLIC++, global inter-slice context).

    Args:
        channels: C, of a slice.
        slices: how many are decoded; there is a head for each.

    Shapes: ``(B, C * slices, h, w)`` -> ``(B, 2C, h, w)``.
    """

    def __init__(self, channels: int, slices: int) -> None:
        super().__init__()
        width = channels * slices
        self.heads = slices
        self.queries, self.keys, self.values = (_separable(width) for _ in range(3))
        self.reprojection = nn.Conv2d(width, 3 * channels, 5, padding=2)
        self.skip = nn.Conv2d(3 * channels, 2 * channels, 1)
        self.mlp = _conv_mlp(3 * channels, channels)

    def forward(self, decoded: Tensor) -> Tensor:
        q, k, v = self.queries(decoded), self.keys(decoded), self.values(decoded)
        r = self.reprojection(linear_attention(q, k, v, self.heads))
        return self.skip(r) + self.mlp(r)


class IntraSliceAttention(nn.Module):
    """What the anchors say about the other sites (MLIC++, global intra-slice context).

    How alike two sites of different parity are is taken from the slice before; the values are the anchors.

    Args:
        channels: C, of a slice.
        heads: of size C / heads.

    Shapes: the previous slice ``(B, C, h, w)`` and the anchors ``(B, C, h, w)``, 0 at the other sites ->
    ``(B, 2C, h, w)``.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.keys, self.values = (_separable(channels) for _ in range(3))
        self.reprojection = nn.Conv2d(channels, 2 * channels, 5, padding=2)
        self.mlp = _conv_mlp(2 * channels, channels)

    def forward(self, previous: Tensor, anchors: Tensor) -> Tensor:
        q = half_of(self.queries(only(half_of(previous, OTHERS), OTHERS)), OTHERS)
        k = half_of(self.keys(only(half_of(previous, ANCHORS), ANCHORS)), ANCHORS)
        v = half_of(self.values(anchors), ANCHORS)
        r = self.reprojection(only(linear_attention(q, k, v, self.heads), OTHERS))
        return r + self.mlp(r)


def _separable(width: int) -> nn.Sequential:
    """1x1, then depthwise 3x3 convolution."""
    return nn.Sequential(nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 3, padding=1, groups=width))


def _conv_mlp(width: int, channels: int) -> nn.Sequential:
    """Two layers with a depthwise convolution between them, from ``width`` to 2C."""
    hidden = 4 * channels
    return nn.Sequential(
        nn.Conv2d(width, hidden, 1),
        nn.GELU(),
        nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
        nn.GELU(),
        nn.Conv2d(hidden, 2 * channels, 1),
    )
