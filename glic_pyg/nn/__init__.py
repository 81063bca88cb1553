"""Layers: graph feature aggregation, gated blocks, the Haar side branch."""

from glic_pyg.nn.edge_attention import edge_attention
from glic_pyg.nn.gated import GatedBlock, PointwiseBlock
from glic_pyg.nn.gfa import GFABlock, GFALayer
from glic_pyg.nn.gfa_conv import GFAConv
from glic_pyg.nn.haar import HaarDown, HaarUp
from glic_pyg.nn.learned_complexity import LearnedComplexity
from glic_pyg.nn.pointwise import Rescale
from glic_pyg.nn.position_bias import PositionBias
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
    "edge_attention",
    "window_attention",
]
