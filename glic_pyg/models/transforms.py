"""The codec's transforms: g_a from pixels to latents, g_s back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glic_pyg.graph import Builder
from glic_pyg.nn import GatedBlock, GFABlock, HaarDown, HaarUp


class AnalysisTransform(nn.Module):
    """g_a: four halvings of the resolution with a Haar side branch added after each (GLIC section 1).

    The side branch is a chain of its own: it starts at x and goes on from its own output.

    Args:
        widths: channels of the four stages; the last is the number of latent channels.
        blocks: what works at the resolution of stages 0, 1 and 2, see :func:`stage_blocks`; stage 3 has
            nothing but its convolution.

    Shapes: ``(B, 3, H, W)`` with H and W multiples of 16 -> ``(B, widths[3], H/16, W/16)``.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        steps = list(zip((3, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in steps)
        self.side = nn.ModuleList(HaarDown(i, o) for i, o in steps)
        self.blocks = nn.ModuleList([*blocks, nn.Identity()])

    def forward(self, x: Tensor) -> Tensor:
        x = side = x.contiguous(memory_format=torch.channels_last)
        for down, block, branch in zip(self.down, self.blocks, self.side, strict=True):
            side = branch(side)
            x = block(down(x)) + side
        return x


class SynthesisTransform(nn.Module):
    """g_s: the mirror of g_a, with sub-pixel convolutions (GLIC section 1).

    Args: as :class:`AnalysisTransform`, in the analysis order.

    Shapes: ``(B, widths[3], h, w)`` -> ``(B, 3, 16h, 16w)``, not clamped.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        steps = list(zip(widths[::-1], (*widths[-2::-1], 3), strict=True))
        self.up = nn.ModuleList(subpel(i, o) for i, o in steps)
        self.side = nn.ModuleList(HaarUp(i, o) for i, o in steps)
        self.blocks = nn.ModuleList([*reversed(blocks), nn.Identity()])

    def forward(self, y_hat: Tensor) -> Tensor:
        x = side = y_hat.contiguous(memory_format=torch.channels_last)
        for up, block, branch in zip(self.up, self.blocks, self.side, strict=True):
            side = branch(side)
            x = block(up(x)) + side
        return x


def stage_blocks(
    widths: Sequence[int],
    *,
    gated_depth: int,
    gated_expansion: float,
    gfa_depth: int,
    gfa_expansions: Sequence[float],
    heads: int,
    builder: Builder | None = None,
    gfa: bool = True,
) -> list[nn.Module]:
    """Gated blocks for stage 0, a GFA block each for stages 1 and 2.

    Without GFA these stages get as many gated blocks as the GFA blocks have layers, of the same expansion, so
    that an ablation compares graphs with convolutions and not with nothing.

    Args:
        widths: channels of the stages.
        gated_depth, gated_expansion: the gated blocks.
        gfa_depth, gfa_expansions, heads: the GFA blocks.
        builder: how they build their graphs.
        gfa: whether stages 1 and 2 pass messages at all.
    """

    def gated(width: int, expansion: float, depth: int) -> nn.Module:
        return nn.Sequential(*(GatedBlock(width, width, expansion) for _ in range(depth)))

    def aggregating(width: int, expansion: float) -> nn.Module:
        if not gfa:
            return gated(width, expansion, gfa_depth)
        return GFABlock(width, expansion, depth=gfa_depth, heads=heads, builder=builder)

    stages = zip(widths[1:3], gfa_expansions, strict=True)
    return [gated(widths[0], gated_expansion, gated_depth), *(aggregating(w, e) for w, e in stages)]


def subpel(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 convolution to four times the channels, then pixel shuffle by 2."""
    return nn.Sequential(nn.Conv2d(in_channels, 4 * out_channels, 3, padding=1), nn.PixelShuffle(2))
