"""The backbones made of CompressAI's modules compute what CompressAI's models compute."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from compressai.layers import CheckerboardMaskedConv2d, MaskedConv2d
from compressai.models import (
    Cheng2020Attention,
    CompressionModel,
    Elic2022Official,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from torch import Tensor

from glic_pyg.models.checkerboard import CausalContext, SpatialContext
from glic_pyg.models.compressai import ELIC, Attention, Autoregressive, CompressAICodec, Hyperprior
from tests.recording_coders import RecordingEncoder

Pair = tuple[CompressAICodec, CompressionModel]
PAIRS = {
    "scale hyperprior": lambda: (Hyperprior(8, 12), ScaleHyperprior(8, 12)),
    "mean-scale hyperprior": lambda: (Hyperprior(8, 12, mean_scale=True), MeanScaleHyperprior(8, 12)),
    "autoregressive": lambda: (Autoregressive(8, 12), JointAutoregressiveHierarchicalPriors(8, 12)),
    "attention": lambda: (Attention(8), Cheng2020Attention(8)),
    "elic": lambda: (ELIC(8, (4, 8)), Elic2022Official(8, 12, [4, 8])),
}
LIVELY_Z = 40.0


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Ours and CompressAI's with the same weights, in eval mode."""
    ours, theirs = PAIRS[request.param]()
    given = dict(theirs.named_parameters())
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            parameter.copy_(given[compressai_name(name, ours)])
    for model in (ours, theirs):
        for name, module in model.named_modules():
            if name == "g_a" or name.endswith("h_a"):
                module.register_forward_hook(lambda _module, _inputs, out: LIVELY_Z * out)
    return ours.eval(), theirs.eval()


def compressai_name(name: str, ours: CompressAICodec) -> str:
    """The name of one of our parameters in CompressAI's model."""
    if isinstance(ours, ELIC):
        return name
    name = name.removeprefix("latent_codec.").removeprefix("hyper.").removeprefix("y.")
    if name.startswith("h_a.") and isinstance(ours, Hyperprior) and not ours.config["mean_scale"]:
        _, index, rest = name.split(".", 2)
        return f"h_a.{int(index) - 1}.{rest}"
    return name


@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
def test_forward_is_compressais(pair: Pair, training: bool) -> None:
    x, outputs = torch.rand(2, 3, 64, 128), []
    for model in pair:
        torch.manual_seed(3)
        with torch.no_grad():
            outputs.append(model.train(training)(x))
    ours, theirs = outputs
    assert torch.equal(ours["x_hat"], theirs["x_hat"])
    for stream in ("y", "z"):
        assert torch.equal(ours["likelihoods"][stream], theirs["likelihoods"][stream])
    assert theirs["likelihoods"]["z"].unique().numel() > 10


def test_walk_is_the_forward_pass(pair: Pair) -> None:
    """With exact means; with whole ones where CompressAI's forward pass rounds to integers."""
    model = pair[0].double()
    y = 4 * torch.randn(1, model.latent_channels, 4, 8, dtype=torch.float64)
    coder = RecordingEncoder(1 if isinstance(model, Autoregressive | Attention) else None)
    walked = model.code_latents(coder, y, shape=(4, 8))
    with torch.no_grad():
        torch.testing.assert_close(walked, model.latent_codec(y)["y_hat"], rtol=0, atol=1e-10)


def test_scales_alone_mean_no_means() -> None:
    y = 4 * torch.randn(1, 12, 4, 4)
    walked = Hyperprior(8, 12).eval().code_latents(RecordingEncoder(256), y, shape=(4, 4))
    assert torch.equal(walked, y.double().round())


@pytest.mark.parametrize(
    ("kind", "original"), [(CausalContext, MaskedConv2d), (SpatialContext, CheckerboardMaskedConv2d)]
)
def test_masked_contexts_are_compressais_without_its_writing(
    kind: type[MaskedConv2d], original: type[MaskedConv2d]
) -> None:
    y = torch.randn(2, 3, 6, 8)
    ours, theirs = (cls(3, 6, kernel_size=5, padding=2) for cls in (kind, original))
    theirs.load_state_dict(ours.state_dict())
    before = ours.weight.clone()
    out = ours(y)
    out.square().sum().backward()
    assert torch.equal(out, theirs(y))
    assert torch.equal(ours.weight, before) and not torch.equal(theirs.weight, before)
    hidden = ours.mask == 0
    assert (ours.weight.grad[hidden] == 0).all() and (ours.weight.grad[~hidden] != 0).all()


def total(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Hyperprior, lambda: ScaleHyperprior(192, 320)),
        (Autoregressive, lambda: JointAutoregressiveHierarchicalPriors(192, 320)),
        (Attention, lambda: Cheng2020Attention(192)),
        (ELIC, Elic2022Official),
    ],
)
@pytest.mark.slow
def test_defaults_are_the_published_sizes(ours: type, theirs: type) -> None:
    assert total(ours().parameters()) == total(theirs().parameters())
