"""The codec's transforms: g_a from pixels to latents, g_s back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glic_pyg.graph import Builder
from glic_pyg.models.base import Finish, ImageRows
from glic_pyg.nn import GatedBlock, GFABlock, HaarDown, HaarUp, Rescale
from glic_pyg.nn.tiling import run_in_bands
from glic_pyg.progress import within

_SHARES = 0.2, 0.65, 0.15
"""Of the time of g_a or g_s, default weights: what is done in bands, the blocks of stages 1 and 2."""


class AnalysisTransform(nn.Module):
    """g_a: four halvings of the resolution with a Haar side branch added after each (GLIC section 1).

    The side branch is a chain of its own: it starts at x and goes on from its own output.

    Args:
        widths: channels of the four stages; the last is the number of latent channels.
        blocks: what works at the resolution of stages 0, 1 and 2, see :func:`stage_blocks`; stage 3 has
            nothing but its convolution.
        kernels: odd kernel sizes of the four strided convolutions.
        conditioned: divide the input of every convolution but the first by fixed factors, see
            :class:`~glic_pyg.nn.pointwise.Rescale`.

    Shapes: ``(B, 3, H, W)`` with H and W multiples of 16 -> ``(B, widths[3], H/16, W/16)``; in place of a
    tensor something that gives its rows when they are needed, see :class:`~glic_pyg.models.base.ImageRows`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[nn.Module],
        kernels: Sequence[int] = (3, 3, 3, 3),
        conditioned: bool = False,
    ) -> None:
        super().__init__()
        steps = list(zip((3, *widths[:-1]), widths, strict=True))
        down = [
            nn.Conv2d(i, o, k, stride=2, padding=k // 2) for (i, o), k in zip(steps, kernels, strict=True)
        ]
        self.down = nn.ModuleList(
            nn.Sequential(Rescale(c.in_channels), c) if conditioned and stage else c
            for stage, c in enumerate(down)
        )
        self.side = nn.ModuleList(HaarDown(i, o) for i, o in steps)
        self.blocks = nn.ModuleList([*blocks, nn.Identity()])

    def forward(self, image: Tensor | ImageRows) -> Tensor:
        entering, *blocks = _SHARES
        x, side = within(entering, self._enter_stage_1, image)
        for stage, part in zip((1, 2), blocks, strict=True):
            x = within(part, self.blocks[stage], x) + side
            x, side = self.down[stage + 1](x), self.side[stage + 1](side)
        return x + side

    def _enter_stage_1(self, x: Tensor | ImageRows) -> tuple[Tensor, Tensor]:
        """Stage 0 and both halvings after it, in bands: no map of half the resolution is ever whole."""
        halo = _reach(self.down[0]) + 2 * (_reach(self.blocks[0]) + _reach(self.down[1]))

        def of_rows(first: int, last: int) -> tuple[Tensor, Tensor]:
            band = _rows_of_image(x, 4 * first, 4 * last).contiguous(memory_format=torch.channels_last)
            side = self.side[0](band)
            return self.down[1](self.blocks[0](self.down[0](band)) + side), self.side[1](side)

        batch, _, height, width = x.shape
        height, width = height // 4, width // 4
        entered, side = run_in_bands(of_rows, (height, batch * width), -(-halo // 4), height)
        return entered, side


class SynthesisTransform(nn.Module):
    """g_s: the mirror of g_a, with sub-pixel convolutions (GLIC section 1).

    Args: as :class:`AnalysisTransform`, in the analysis order.

    Shapes: ``(B, widths[3], h, w)`` -> ``(B, 3, 16h, 16w)``, not clamped. With a ``size`` (H, W) that these
    latents cover ``(B, 3, H, W)``: no stage computes more of its map than such an image needs. With
    ``finish`` what that makes of it, band by band.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[nn.Module],
        kernels: Sequence[int] = (3, 3, 3, 3),
        conditioned: bool = False,
    ) -> None:
        super().__init__()
        steps = list(zip(widths[::-1], (*widths[-2::-1], 3), strict=True))
        self.up = nn.ModuleList(
            subpel(i, o, k, conditioned) for (i, o), k in zip(steps, kernels[::-1], strict=True)
        )
        self.side = nn.ModuleList(HaarUp(i, o) for i, o in steps)
        self.blocks = nn.ModuleList([*reversed(blocks), nn.Identity()])

    def forward(
        self, y_hat: Tensor, size: tuple[int, int] | None = None, finish: Finish | None = None
    ) -> Tensor:
        x = side = y_hat.contiguous(memory_format=torch.channels_last)
        height, width = size or (16 * y_hat.shape[2], 16 * y_hat.shape[3])
        leaving, *blocks = _SHARES
        for stage, stride, part in ((0, 8, blocks[1]), (1, 4, blocks[0])):
            here = -(-height // stride), -(-width // stride)
            x, side = within(part, self._stage, stage, x, side, *here)
        return within(leaving, self._leave_stage_1, x, side, height, width, finish)

    def _stage(self, stage: int, x: Tensor, side: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """One stage, whose maps are cut to a size; what the main branch gives has the side branch added."""
        x = self.up[stage](x)[:, :, :height, :width]
        x = self.blocks[stage](x.contiguous(memory_format=torch.channels_last))
        side = self.side[stage](side)[:, :, :height, :width]
        return x + side, side

    def _leave_stage_1(
        self, x: Tensor, side: Tensor, height: int, width: int, finish: Finish | None
    ) -> Tensor:
        """The last two stages, in bands: no map of half the resolution is ever whole."""
        halo = _reach(self.up[2]) + -(-(_reach(self.blocks[2]) + _reach(self.up[3])) // 2)

        def of_rows(first: int, last: int) -> tuple[Tensor]:
            band, beside = (rows[:, :, first:last] for rows in (x, side))
            for stage, stride in ((2, 2), (3, 1)):
                here = -(-(height - 4 * first) // stride)
                band, beside = self._stage(stage, band, beside, here, -(-width // stride))
            return (band if finish is None else finish(band),)

        (x_hat,) = run_in_bands(of_rows, (x.shape[2], len(x) * x.shape[3]), halo, height)
        return x_hat


def _rows_of_image(x: Tensor | ImageRows, first: int, last: int) -> Tensor:
    return x[:, :, first:last] if isinstance(x, Tensor) else x.rows(first, last)


def _reach(layers: nn.Module) -> int:
    """How many rows above and below itself a row of the output of these layers reads."""
    return sum(layer.kernel_size[0] // 2 for layer in layers.modules() if isinstance(layer, nn.Conv2d))


def stage_blocks(
    widths: Sequence[int],
    *,
    gated_depth: int | Sequence[int],
    gated_expansion: float,
    gfa_depth: int | Sequence[int],
    gfa_expansions: Sequence[float],
    heads: int,
    builder: Builder | None = None,
    gfa: bool = True,
) -> list[nn.Module]:
    """The blocks of stages 0, 1 and 2: gated blocks, then a GFA block.

    Without GFA a stage gets as many gated blocks as the GFA block has layers, of the same expansion, so
    that an ablation compares graphs with convolutions and not with nothing.

    Args:
        widths: channels of the stages.
        gated_depth: gated blocks of stage 0, or of each of stages 0, 1 and 2.
        gated_expansion: of these gated blocks.
        gfa_depth: layers of each GFA block, or of that of stage 1 and that of stage 2; 0 for no block.
        gfa_expansions, heads: of the GFA blocks of stages 1 and 2.
        builder: how they build their graphs.
        gfa: whether stages 1 and 2 pass messages at all.

    Raises:
        ValueError: see :func:`stage_depths`.
    """
    gated, layers = stage_depths(gated_depth, gfa_depth)

    def gated_blocks(width: int, expansion: float, depth: int) -> list[nn.Module]:
        return [GatedBlock(width, width, expansion) for _ in range(depth)]

    stages: list[nn.Module] = [nn.Sequential(*gated_blocks(widths[0], gated_expansion, gated[0]))]
    for width, depth, gfa_layers, expansion in zip(
        widths[1:3], gated[1:], layers, gfa_expansions, strict=True
    ):
        blocks = gated_blocks(width, gated_expansion, depth)
        if gfa and gfa_layers:
            blocks.append(GFABlock(width, expansion, depth=gfa_layers, heads=heads, builder=builder))
        else:
            blocks += gated_blocks(width, expansion, gfa_layers)
        alone = len(blocks) == 1 and isinstance(blocks[0], GFABlock)  # as the released weights name it
        stages.append(blocks[0] if alone else nn.Sequential(*blocks))
    return stages


def stage_depths(
    gated_depth: int | Sequence[int], gfa_depth: int | Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Gated blocks of stages 0, 1 and 2, and GFA layers of stages 1 and 2, from either way to give them.

    Raises:
        ValueError: a depth is given for more or fewer stages.
    """
    gated = (gated_depth, 0, 0) if isinstance(gated_depth, int) else tuple(gated_depth)
    layers = (gfa_depth, gfa_depth) if isinstance(gfa_depth, int) else tuple(gfa_depth)
    if len(gated) != 3 or len(layers) != 2:
        raise ValueError(
            "gated_depth is one number or one for each of stages 0, 1 and 2, gfa_depth one number or one for "
            f"each of stages 1 and 2; got {list(gated)} and {list(layers)}."
        )
    return gated, layers


def subpel(in_channels: int, out_channels: int, kernel: int = 3, rescaled: bool = False) -> nn.Sequential:
    """Convolution to four times the channels, then pixel shuffle by 2; with a :class:`Rescale` in front."""
    convolution = nn.Conv2d(in_channels, 4 * out_channels, kernel, padding=kernel // 2)
    front = [Rescale(in_channels)] if rescaled else []
    return nn.Sequential(*front, convolution, nn.PixelShuffle(2))
