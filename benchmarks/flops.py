"""Floating-point operations of GLIC's networks, by formula.

A multiplication and an addition are two operations. Counted are convolutions, linear maps, the dense products
of attention (64 nodes x 256 candidates per cell, whatever the graph keeps) and the similarities that graphs
are built from; norms, activations and softmax are not. GLIC section 9 states 370 GFLOP for g_a at 768x512.

``torch.utils.flop_counter`` counts the operators that run, so it cannot replace the formula: it does not see
the C kernels or the messages along lists of edges, counts rows twice where tiles overlap, and needs a forward
pass of real data, as graphs depend on their values. Where it counts right, tests compare the formula with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from glic_pyg.models.base import LATENT_STRIDE
from glic_pyg.models.transforms import stage_depths

__all__ = ["Flops", "glic_flops"]

CANDIDATES = 256
RAMP_LAYERS = 3
SCORE_WIDTH = 16
CONTEXT_EXPANSION = 2


@dataclass(frozen=True)
class Flops:
    """Operations of one image.

    Attributes:
        analysis, synthesis: g_a and g_s.
        encode_networks, decode_networks: the entropy model while encoding (with h_a) and while decoding.
        learning_degrees: added by a training step if complexity is learned: graphs and attention at two more
            budgets, forward only.
    """

    analysis: int
    synthesis: int
    encode_networks: int
    decode_networks: int
    learning_degrees: int = 0


def glic_flops(config: Mapping[str, Any], height: int, width: int) -> Flops:
    """Operations of a GLIC for one padded image.

    Args:
        config: keyword arguments of :class:`~glic_pyg.models.glic.GLIC`, all of them.
        height, width: of x, multiples of 128.
    """
    pixels, latents = height * width, height * width // LATENT_STRIDE**2
    widths = config["widths"]
    blocks = {
        side: [_stage_blocks(config, stage, side) * (pixels // 4 ** (stage + 1)) for stage in range(4)]
        for side in ("encoder", "decoder")
    }
    down_kernels, up_kernels = (config.get(name, (3, 3, 3, 3)) for name in ("down_kernels", "up_kernels"))
    down = [
        (conv(i, o, down_kernels[stage]) + 2 * 4 * i * o) * (pixels // 4 ** (stage + 1))
        for stage, (i, o) in enumerate(zip((3, *widths[:-1]), widths, strict=True))
    ]
    up = [
        (conv(i, 4 * o, up_kernels[stage]) + 2 * i * 4 * o) * (pixels // 4 ** (stage + 1))
        for stage, (i, o) in enumerate(zip(widths, (3, *widths[:-1]), strict=True))
    ]
    decode = _hyper_synthesis(config, latents) + _context(config) * latents
    encode = decode + _hyper_analysis(config, latents)
    learning = _learning_degrees(config, pixels)
    analysis, synthesis = sum(down) + sum(blocks["encoder"]), sum(up) + sum(blocks["decoder"])
    return Flops(analysis, synthesis, encode, decode, learning)


def conv(in_channels: int, out_channels: int, side: int) -> int:
    """Operations of a convolution per output pixel."""
    return 2 * in_channels * out_channels * side**2


def _stage_blocks(config: Mapping[str, Any], stage: int, side: str) -> int:
    """Operations per pixel of the blocks of a stage of the ``"encoder"`` or the ``"decoder"``."""
    if stage == 3:
        return 0
    width = config["widths"][stage]
    gated, layers = stage_depths(config["gated_depth"], config["gfa_depth"])
    total = int(gated[stage] * _gated_block(width, width, config["gated_expansion"]))
    depth = layers[stage - 1] if stage else 0
    if not depth:
        return total
    expansion = config["gfa_expansions"][stage - 1]
    if config.get("gfa_in", "both") not in ("both", side):
        return total + int(depth * _gated_block(width, width, expansion))
    graph = config.get("graph") or {}
    scores = conv(width, SCORE_WIDTH, 1) + conv(SCORE_WIDTH, 1, 3) if _learned(config) else 0
    layers_of_graph = depth * _gfa_layer(width, expansion, _attended(graph))
    return total + _similarities(graph) * 2 * width + scores + layers_of_graph


def _gfa_layer(width: int, expansion: float, attended: float = CANDIDATES) -> int:
    """Operations of one round of message passing per node."""
    hidden = int(width * expansion)
    projections = 4 * conv(width, width, 1)
    attention = int(2 * 2 * attended * width)
    feed_forward = conv(width, 2 * hidden, 1) + conv(1, 2 * hidden, 3) + conv(hidden, width, 1)
    return projections + attention + feed_forward


def _similarities(graph: Mapping[str, Any]) -> int:
    """Number of nodes that each node is compared with while the graphs are built."""
    kinds = list(graph.get("kinds", ("local", "mesh")))
    if kinds == ["radius"]:
        return int((8 + 2 * math.floor(graph["radius"])) ** 2)
    return CANDIDATES * (2 if kinds == ["union"] else len(kinds))


def _attended(graph: Mapping[str, Any]) -> float:
    """Products of attention per node: dense in windows, one per edge in a list of edges."""
    kinds, mean_degree = list(graph.get("kinds", ())), graph.get("mean_degree", 64)
    return {"union": 2 * mean_degree, "radius": mean_degree}.get(kinds[0] if kinds else "", CANDIDATES)


def _learned(config: Mapping[str, Any]) -> bool:
    return (config.get("graph") or {}).get("detector") == "learned"


def _learning_degrees(config: Mapping[str, Any], pixels: int) -> int:
    """Operations of graphs and attention at a larger and a smaller budget, in all GFA blocks."""
    if not _learned(config):
        return 0
    transforms = 2 if config.get("gfa_in", "both") == "both" else 1
    total = 0
    _, layers = stage_depths(config["gated_depth"], config["gfa_depth"])
    for stage, depth in enumerate(layers, start=1):
        if not depth:
            continue
        width = config["widths"][stage]
        layer = 4 * conv(width, width, 1) + 2 * 2 * CANDIDATES * width
        graphs = _similarities(config["graph"]) * 2 * width
        total += 2 * transforms * (graphs + depth * layer) * (pixels // 4 ** (stage + 1))
    return total


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
    """Operations of the channel and spatial contexts and the entropy parameters, all groups, per latent."""
    expansion, side = config["context_expansion"], 2 * config["hyper_channels"]
    total = 0
    for size, before in zip(config["groups"], accumulate(config["groups"], initial=0), strict=False):
        total += conv(size, 2 * size, 5)
        if before:
            widths = _ramp(before, 2 * size, config["context_width"])
            total += sum(_gated_block(i, o, expansion) for i, o in widths)
            if depth := config.get("context_gfa_depth", 0):
                total += 2 * 2 * CANDIDATES * before + depth * _gfa_layer(2 * size, CONTEXT_EXPANSION)
        widths = _ramp(2 * size + (2 * size if before else 0) + side, 2 * size, config["parameter_width"])
        total += sum(conv(i, o, 1) + _gated_ffn(o, expansion) for i, o in widths)
    return total


def _ramp(i: int, o: int, least: int) -> Sequence[tuple[int, int]]:
    """Input and output widths of the three layers of a context network."""
    inner = [max(least, int(i + (o - i) / RAMP_LAYERS * k)) for k in range(1, RAMP_LAYERS)]
    return list(zip((i, *inner), (*inner, o), strict=True))
