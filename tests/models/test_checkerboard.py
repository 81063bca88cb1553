"""The checkerboard codec on halves equals CompressAI's two passes over all places."""

from __future__ import annotations

import pytest
import torch
from compressai.latent_codecs import CheckerboardLatentCodec, GaussianConditionalLatentCodec
from torch import nn

from glic_pyg.models.checkerboard import HalvesCheckerboard, SpatialContext

CHANNELS, SIDE = 4, 6


@pytest.mark.parametrize("parity", ["even", "odd"])
@pytest.mark.parametrize("size", [(4, 6), (3, 8), (1, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_equals_compressai(training: bool, size: tuple[int, int], parity: str) -> None:
    torch.manual_seed(0)
    parts = {
        "latent_codec": {"y": GaussianConditionalLatentCodec(quantizer="ste")},
        "context_prediction": SpatialContext(CHANNELS, 2 * CHANNELS, kernel_size=5, padding=2),
        "entropy_parameters": nn.Sequential(
            nn.Conv2d(2 * CHANNELS + SIDE, 9, 1), nn.GELU(), nn.Conv2d(9, 2 * CHANNELS, 1)
        ),
    }
    y = (5 * torch.randn(2, CHANNELS, *size, dtype=torch.float64)).requires_grad_()
    side = torch.randn(2, SIDE, *size, dtype=torch.float64, requires_grad=True)
    results = []
    for kind in (HalvesCheckerboard, CheckerboardLatentCodec):
        codec = kind(**parts, anchor_parity=parity).double().train(training)
        torch.manual_seed(1)
        out = codec(y, side)
        outputs = [out["y_hat"], out["likelihoods"]["y"]]
        loss = outputs[0].square().sum() - outputs[1].log().sum()
        results.append([*outputs, *torch.autograd.grad(loss, [y, side, *codec.parameters()])])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_places_met_first_in_inference_mode_can_be_trained_on() -> None:
    """As when a process encodes an image and then trains."""
    codec = HalvesCheckerboard(
        latent_codec={"y": GaussianConditionalLatentCodec(quantizer="ste")},
        context_prediction=SpatialContext(2, 4, kernel_size=5, padding=2),
        entropy_parameters=nn.Conv2d(4 + 4, 4, 1),
    )
    y, sides = torch.randn(1, 2, 14, 6), torch.randn(1, 4, 14, 6)
    with torch.inference_mode():
        codec(y, sides)
    codec(y.requires_grad_(), sides)["likelihoods"]["y"].sum().backward()
    assert y.grad is not None
