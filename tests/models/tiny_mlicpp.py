"""An MLIC++ of about 60,000 parameters with every part of the large one."""

from __future__ import annotations

from typing import Any

import torch

from glic_pyg.models.mlicpp import MLICpp

TINY: dict[str, Any] = {
    "width": 6,
    "latent_channels": 12,
    "slices": 3,
    "heads": 2,
    "window": 3,
    "channel_widths": (6, 5),
    "parameter_widths": (12, 10, 9),
    "residual_widths": (7, 6),
}


def lively_mlicpp() -> MLICpp:
    """In eval mode; z takes several values, the Gaussians of y move with their contexts, medians off zero."""
    model = MLICpp(**TINY)
    codec = model.latent_codec
    with torch.no_grad():
        codec.entropy_bottleneck.quantiles.add_(torch.randn(6, 1, 1))
        codec.h_a[-1].weight.mul_(30)
        for part in codec.slices:
            part.local.bias_table.normal_()
            for network in (part.anchor_parameters, part.other_parameters):
                network[-1].weight.mul_(8)
                network[-1].bias[: part.channels] = 2.0
            for network in (part.anchor_residual, part.other_residual):
                network[-1].weight.mul_(8)
    return model.eval()
