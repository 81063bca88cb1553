"""Kernels in C for float32 on CPUs: twins of what torch operators do in the graphs and the layers."""

from glic_pyg.kernels.attention import (
    can_attend,
    window_attention,
    window_attention_,
    window_attention_backward,
)
from glic_pyg.kernels.degrees import can_scale, scale_degrees
from glic_pyg.kernels.depthwise import can_convolve, depthwise, depthwise_backward, depthwise_gate
from glic_pyg.kernels.edge_attention import (
    can_attend_along,
    edge_attention,
    edge_attention_backward,
)
from glic_pyg.kernels.gate import can_gate, gate, gate_backward
from glic_pyg.kernels.library import available
from glic_pyg.kernels.threshold import bisect, can_select, keep_top

__all__ = [
    "available",
    "bisect",
    "can_attend",
    "can_attend_along",
    "can_convolve",
    "can_gate",
    "can_scale",
    "can_select",
    "depthwise",
    "depthwise_backward",
    "depthwise_gate",
    "edge_attention",
    "edge_attention_backward",
    "gate",
    "gate_backward",
    "keep_top",
    "scale_degrees",
    "window_attention",
    "window_attention_",
    "window_attention_backward",
]
