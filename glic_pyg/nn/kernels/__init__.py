"""Kernels in C: twins of what torch operators do elsewhere in :mod:`glic_pyg.nn`, for float32 on CPUs."""

from glic_pyg.nn.kernels.attention import (
    can_attend,
    window_attention,
    window_attention_,
    window_attention_backward,
)
from glic_pyg.nn.kernels.depthwise import can_convolve, depthwise, depthwise_backward, depthwise_gate
from glic_pyg.nn.kernels.edge_attention import (
    can_attend_along,
    edge_attention,
    edge_attention_backward,
)
from glic_pyg.nn.kernels.gate import can_gate, gate, gate_backward
from glic_pyg.nn.kernels.library import available

__all__ = [
    "available",
    "can_attend",
    "can_attend_along",
    "can_convolve",
    "can_gate",
    "depthwise",
    "depthwise_backward",
    "depthwise_gate",
    "edge_attention",
    "edge_attention_backward",
    "gate",
    "gate_backward",
    "window_attention",
    "window_attention_",
    "window_attention_backward",
]
