"""Floating-point operations of GLIC's networks, by formula.

A multiplication and an addition are two operations. Counted are convolutions, linear maps, the dense products
of attention (64 nodes x 256 candidates a cell, whatever the graph keeps) and the similarities that graphs are
built from; norms, activations and softmax are not. GLIC section 9 states 370 GFLOP for g_a at 768x512.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from glic_pyg.models.contract import LATENT_STRIDE

__all__ = ["Flops", "glic_flops"]

CANDIDATES = 256
RAMP_LAYERS = 3


@dataclass(frozen=True)
class Flops:
    """Operations of one image.

    Attributes:
        analysis, synthesis: g_a and g_s.
        encode_networks, decode_networks: the entropy model while encoding (with h_a) and while decoding.
    """

    analysis: int
    synthesis: int
    encode_networks: int
    decode_networks: int


def glic_flops(config: Mapping[str, Any], height: int, width: int) -> Flops:
    """Count for one padded image.

    Args:
        config: keyword arguments of :class:`~glic_pyg.models.glic.GLIC`, all of them.
        height, width: of x, multiples of 128.
    """
    pixels, latents = height * width, height * width // LATENT_STRIDE**2
    widths = config["widths"]
    blocks = [_stage_blocks(config, stage) * (pixels // 4 ** (stage + 1)) for stage in range(4)]
    down = [
        (conv(i, o, 3) + 2 * 4 * i * o) * (pixels // 4 ** (stage + 1))
        for stage, (i, o) in enumerate(zip((3, *widths[:-1]), widths, strict=True))
    ]
    up = [
        (conv(i, 4 * o, 3) + 2 * i * 4 * o) * (pixels // 4 ** (stage + 1))
        for stage, (i, o) in enumerate(zip(widths, (3, *widths[:-1]), strict=True))
    ]
    decode = _hyper_synthesis(config, latents) + _context(config) * latents
    encode = decode + _hyper_analysis(config, latents)
    return Flops(sum(down) + sum(blocks), sum(up) + sum(blocks), encode, decode)


def conv(in_channels: int, out_channels: int, side: int) -> int:
    """An output pixel of a convolution."""
    return 2 * in_channels * out_channels * side**2


def _stage_blocks(config: Mapping[str, Any], stage: int) -> int:
    """A pixel of what stands between two changes of resolution; g_a and g_s have the same."""
    width = config["widths"][stage]
    if stage == 0:
        return int(config["gated_depth"] * _gated_block(width, width, config["gated_expansion"]))
    if stage == 3:
        return 0
    return _gfa_block(width, config["gfa_expansions"][stage - 1], config["gfa_depth"])


def _gfa_block(width: int, expansion: float, depth: int) -> int:
    """A node of a GFA block: two graphs, then layers."""
    hidden = int(width * expansion)
    projections = 4 * conv(width, width, 1)
    attention = 2 * 2 * CANDIDATES * width
    feed_forward = conv(width, 2 * hidden, 1) + conv(1, 2 * hidden, 3) + conv(hidden, width, 1)
    graphs = 2 * 2 * CANDIDATES * width
    return graphs + depth * (projections + attention + feed_forward)


def _gated_ffn(width: int, expansion: float) -> int:
    hidden = int(width * expansion)
    return conv(width, 2 * hidden, 1) + conv(hidden, width, 1)


def _gated_block(i: int, o: int, expansion: float) -> int:
    mixing = conv(i, i, 1) + conv(1, i, 5) + conv(i, o, 1) + (conv(i, o, 1) if i != o else 0)
    return mixing + _gated_ffn(o, expansion)


def _hyper_analysis(config: Mapping[str, Any], latents: int) -> int:
    width = config["hyper_channels"]
    blocks = config["hyper_depth"] * _gated_block(width, width, config["hyper_expansion"])
    first = (conv(config["widths"][-1], width, 3) + blocks) * latents
    return first + (conv(width, width, 3) + blocks) * (latents // 4) + conv(width, width, 3) * (latents // 16)


def _hyper_synthesis(config: Mapping[str, Any], latents: int) -> int:
    width = config["hyper_channels"]
    blocks = config["hyper_depth"] * _gated_block(width, width, config["hyper_expansion"])
    up = conv(width, 4 * width, 3)
    return (
        up * (latents // 16) + (blocks + up) * (latents // 4) + (blocks + conv(width, 2 * width, 3)) * latents
    )


def _context(config: Mapping[str, Any]) -> int:
    """A latent of the channel and spatial contexts and the entropy parameters, all groups."""
    expansion, side = config["context_expansion"], 2 * config["hyper_channels"]
    total = 0
    for size, before in zip(config["groups"], accumulate(config["groups"], initial=0), strict=False):
        total += conv(size, 2 * size, 5)
        if before:
            widths = _ramp(before, 2 * size, config["context_width"])
            total += sum(_gated_block(i, o, expansion) for i, o in widths)
        widths = _ramp(2 * size + (2 * size if before else 0) + side, 2 * size, config["parameter_width"])
        total += sum(conv(i, o, 1) + _gated_ffn(o, expansion) for i, o in widths)
    return total


def _ramp(i: int, o: int, least: int) -> Sequence[tuple[int, int]]:
    """Widths of a context network's three layers, as pairs of input and output."""
    inner = [max(least, int(i + (o - i) / RAMP_LAYERS * k)) for k in range(1, RAMP_LAYERS)]
    return list(zip((i, *inner), (*inner, o), strict=True))
