"""The smallest model of every architecture: the row that a new backbone adds to these tests."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import torch
from torch import Tensor, nn

from glic_pyg.models.compressai import ELIC, Attention, Autoregressive, Hyperprior
from glic_pyg.models.glic import GLIC
from glic_pyg.models.mlicpp import MLICpp
from glic_pyg.nn import Rescale
from tests.models.conftest import TINY as TINY_GLIC

BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "glic": lambda: GLIC(**TINY_GLIC),
    "glic with GFA in the context": lambda: GLIC(**TINY_GLIC, context_gfa_depth=2),
    "glic with a learned complexity": lambda: GLIC(**TINY_GLIC, graph={"detector": "learned"}),
    "glic conditioned, with depths a stage": lambda: conditioned_glic(),
    "mlicpp": lambda: MLICpp(
        8, 12, slices=3, window=3, channel_widths=(8, 8), parameter_widths=(16, 12, 8), residual_widths=(8, 8)
    ),
    "hyperprior": lambda: Hyperprior(8, 12),
    "hyperprior with means": lambda: Hyperprior(8, 12, mean_scale=True),
    "autoregressive": lambda: Autoregressive(8, 12),
    "attention": lambda: Attention(8),
    "elic": lambda: ELIC(8, (4, 8)),
}
BACKBONES |= {entry.name: entry.load() for entry in entry_points(group="glic_pyg.tiny_backbones")}
"""And those of other packages that are installed, see docs/backbone.md."""


def conditioned_glic() -> GLIC:
    """A conditioned GLIC with factors other than 1, blocks at 1/8 only and a 1x1 among its convolutions."""
    sizes = {"gated_depth": (0, 0, 1), "gfa_depth": (0, 2), "up_kernels": (3, 3, 3, 1)}
    model = GLIC(**{**TINY_GLIC, **sizes}, conditioned=True)
    for layer in model.modules():
        if isinstance(layer, Rescale):
            layer.set(torch.rand(len(layer.factor)) + 0.5)
    return model


def untrained(name: str) -> nn.Module:
    """A model whose weights are the same in every test, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return BACKBONES[name]().eval()


def lively(name: str, x: Tensor) -> nn.Module:
    """As :func:`untrained`, but with latents that are worth coding."""
    return enlivened(untrained(name), x)


def enlivened(model: nn.Module, x: Tensor) -> nn.Module:
    """The model, whose y and z of the image x now take several values, as those of trained models do.

    Untrained models round nearly everything to zero; here every channel of g_a and h_a gets a mean of 0 and
    a spread. It is moderate for y, because an untrained prior expects latents near zero.
    """
    for path, spread in (("g_a", 0.4), ("h_a", 3.0)):
        module = next(m for n, m in model.named_modules() if n.split(".")[-1] == path)
        seen: list[Tensor] = []
        probe = module.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out))
        with torch.no_grad():
            model.latent_codec(model.g_a(x))
        probe.remove()
        std, mean = torch.std_mean(seen[0], (0, 2, 3), keepdim=True)
        gain = spread / std.clamp_min(1e-6)
        module.register_forward_hook(
            lambda _m, _i, out, gain=gain, mean=mean: gain.to(out) * (out - mean.to(out))
        )
    return model
