"""Modules of the released size against what the authors' modules gave, both filled by a simple rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from glic_pyg.models.checkerboard import OTHERS, half_of, is_anchor
from glic_pyg.models.key_mapping import released_name
from glic_pyg.models.mlicpp import MLICpp
from tests.models.test_mlicpp_attention import plain_local


@pytest.fixture(scope="module")
def whole() -> MLICpp:
    """To be filled, module by module."""
    return MLICpp().double()


def wave(count: int, seed: int) -> Tensor:
    """Numbers in [-0.5, 0.5), float64."""
    i = torch.arange(count) % 1009
    return ((7 * i * i + 13 * i + 31 * seed) % 1009).double() / 1009 - 0.5


def wave_of(*shape: int, seed: int = 0) -> Tensor:
    return 2 * wave(int(np.prod(shape)), seed).view(shape)


def fill(model: MLICpp, part: str) -> nn.Module:
    """A module of the model, filled from its parameters' released names relative to that module."""
    module = model.get_submodule(part)
    for own, parameter in module.named_parameters():
        name = released_name(f"{part}.{own}", "mlicpp").removeprefix(f"{part}.")
        name = name.split(".", 2)[2] if part.startswith("latent_codec.slices") else name
        name = name.split(".", 1)[1] if part.startswith("latent_codec.h_") else name
        fill_one(parameter, name)
    return module


@torch.no_grad()
def fill_one(parameter: Tensor, name: str) -> None:
    """GDN keeps its initial values."""
    if not name.endswith(("beta", "gamma")):
        size = (12 * parameter.shape[0] / parameter.numel()) ** 0.5 if parameter.ndim > 1 else 0.1
        parameter.copy_(size * wave(parameter.numel(), sum(name.encode())).view(parameter.shape))


# Mean, mean absolute value, first, middle and last value of a module's output.
GOLDEN = {
    "local": (-0.008897807, 0.047587836, -0.161074556, 0.057381190, -0.010024411),
    "intra": (-0.006253692, 0.056261475, -0.009203111, 0.005271989, -0.024069789),
    "inter": (0.005441193, 0.073236158, -0.028039663, 0.041553501, 0.106253151),
    "channel": (0.087306708, 0.132228071, 0.005883763, 0.259658622, -0.038493802),
    "parameters": (0.013995675, 0.079792937, 0.073820644, 0.228034752, 0.053170287),
    "residual": (0.031649649, 0.051927273, -0.068910575, -0.009795284, -0.039444837),
    "g_a": (-0.152900055, 0.886319532, 0.374830199, -0.088228765, -1.125714006),
    "g_s": (-0.061856022, 0.668933914, 0.046712481, 0.665527458, -0.144724576),
    "h_a": (-0.002061011, 0.030293666, -0.056685680, -0.044362424, 0.019793513),
    "h_s": (0.001337971, 0.027790517, -0.026373265, 0.038412170, -0.039558630),
}
ANCHORS_ALONE = is_anchor(4, 6, torch.device("cpu"))


def output(model: MLICpp, name: str) -> Tensor:
    """Of the filled module on the input that the numbers were made with."""
    part = "latent_codec.slices.{}." + name
    match name:
        case "local":
            return plain_local(fill(model, part.format(0)), wave_of(1, 32, 4, 6) * ANCHORS_ALONE)
        case "intra":
            anchors = wave_of(1, 32, 4, 6) * ANCHORS_ALONE
            return fill(model, part.format(1))(wave_of(1, 32, 4, 6, seed=5), anchors)
        case "inter" | "channel":
            return fill(model, part.format(2))(wave_of(1, 64, 4, 6))
        case "parameters":
            return fill(model, "latent_codec.slices.0.anchor_parameters")(wave_of(1, 640, 4, 6))
        case "residual":
            network = fill(model, "latent_codec.slices.0.anchor_residual")
            return 0.5 * torch.tanh(network(wave_of(1, 352, 4, 6)))
        case "g_a":
            return fill(model, "g_a")(0.5 + wave_of(1, 3, 64, 96) / 2)
        case "g_s":
            return fill(model, "g_s")(wave_of(1, 320, 4, 6))
        case "h_a":
            return fill(model, "latent_codec.h_a")(wave_of(1, 320, 4, 8))
    return fill(model, "latent_codec.h_s")(wave_of(1, 192, 1, 2))


@torch.no_grad()
@pytest.mark.parametrize("name", GOLDEN)
def test_modules(whole: MLICpp, name: str) -> None:
    values = output(whole, name).flatten()
    middle = values[len(values) // 2]
    found = torch.stack([values.mean(), values.abs().mean(), values[0], middle, values[-1]])
    torch.testing.assert_close(found, torch.tensor(GOLDEN[name]).double(), rtol=0, atol=1e-7)


@torch.no_grad()
def test_local_attention_of_the_released_size(whole: MLICpp) -> None:
    """The plain twin has the golden numbers; the module has the twin's, where it computes any."""
    module, anchors = fill(whole, "latent_codec.slices.0.local"), wave_of(1, 32, 4, 6) * ANCHORS_ALONE
    torch.testing.assert_close(module(anchors), half_of(plain_local(module, anchors), OTHERS))


@pytest.mark.slow
@torch.no_grad()
def test_bits_of_the_simpler_rule(whole: MLICpp) -> None:
    for own, parameter in whole.named_parameters():
        name = released_name(own, "mlicpp")
        if "entropy_bottleneck" not in name:
            fill_one(parameter, name)
        elif ".biases." in name:
            parameter.zero_()
        if name.endswith("fusion.6.bias"):
            parameter[:32] += 1.5
    y = whole.eval().g_a(0.5 + wave_of(1, 3, 128, 192) / 2)
    latents = whole.latent_codec(y)
    bits = [float(-latents["likelihoods"][kind].log2().sum()) for kind in ("y", "z")]
    assert bits == pytest.approx([107572.539560, 6131.207362], rel=1e-8)
    y_hat = latents["y_hat"].flatten()
    found = [float(y.mean()), float(y_hat.mean()), float(y_hat.abs().mean()), float(y_hat[15360])]
    assert found == pytest.approx([-1.644125323, -1.642723318, 1.830844115, 0.021391331], abs=1e-7)
