"""Global context of MLIC++: attention over the whole map at a cost linear in its sites."""

from __future__ import annotations

from torch import Tensor, nn

from glic_pyg.models.mlicpp.checkerboard import ANCHORS, OTHERS, half_of, only


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
