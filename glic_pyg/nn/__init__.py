"""Layers: graph feature aggregation, the gated block, the Haar side branch."""

from glic_pyg.nn.gated_block import GatedBlock, PointwiseBlock
from glic_pyg.nn.gfa_block import GFABlock, GFALayer
from glic_pyg.nn.gfa_conv import GFAConv
from glic_pyg.nn.haar_branch import HaarDown, HaarUp
from glic_pyg.nn.learned_complexity import LearnedComplexity
from glic_pyg.nn.position_bias import PositionBias
from glic_pyg.nn.rescale import Rescale
from glic_pyg.nn.window_attention import window_attention

__all__ = [
    "GFABlock",
    "GFAConv",
    "GFALayer",
    "GatedBlock",
    "HaarDown",
    "HaarUp",
    "LearnedComplexity",
    "PointwiseBlock",
    "PositionBias",
    "Rescale",
    "window_attention",
]
