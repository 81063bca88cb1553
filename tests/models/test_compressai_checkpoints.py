"""Checkpoints of CompressAI's own models load and compute what CompressAI computes; others are recognised."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from compressai.models import (
    Cheng2020Anchor,
    Cheng2020AnchorCheckerboard,
    Cheng2020Attention,
    CompressionModel,
    Elic2022Official,
    FactorizedPrior,
    FactorizedPriorReLU,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from compressai.models.vbr import MeanScaleHyperpriorVbr, ScaleHyperpriorVbr
from torch import Tensor

import glic_pyg
from glic_pyg.models.released import RELEASES, load_released
from glic_pyg.models.weights import weights_hash

OURS: dict[str, Callable[[], CompressionModel]] = {
    "bmshj2018-hyperprior": lambda: ScaleHyperprior(8, 12),
    "mbt2018-mean": lambda: MeanScaleHyperprior(8, 12),
    "mbt2018": lambda: JointAutoregressiveHierarchicalPriors(8, 12),
    "cheng2020-anchor": lambda: Cheng2020Anchor(8),
    "cheng2020-attn": lambda: Cheng2020Attention(8),
    "elic2022-official": lambda: Elic2022Official(8, 12, [4, 8]),
}
OTHERS: dict[str, Callable[[], CompressionModel]] = {
    "bmshj2018-factorized": lambda: FactorizedPrior(8, 12),
    "bmshj2018-factorized-relu": lambda: FactorizedPriorReLU(8, 12),
    "bmshj2018-hyperprior-vbr": lambda: ScaleHyperpriorVbr(8, 12),
    "mbt2018-mean-vbr": lambda: MeanScaleHyperpriorVbr(8, 12),
    "cheng2020-anchor-checkerboard": lambda: Cheng2020AnchorCheckerboard(8),
}


@pytest.fixture(params=OURS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def theirs(name: str) -> CompressionModel:
    """With random weights, its masked ones at 0 as training leaves them, and tables for coding."""
    model = OURS[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter).abs())
        model(torch.rand(1, 3, 64, 64))
    model.update()
    return model


def of_2020(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of CompressAI's first releases, trained in parallel."""
    old = {
        re.sub(r"entropy_bottleneck\.(matrices|biases|factors)\.", r"entropy_bottleneck._\1.", name): tensor
        for name, tensor in state.items()
    }
    blocks = re.compile(r"^(g_a\.\d+)\.skip\.")
    return {"module." + blocks.sub(r"\1.downsample.", name): tensor for name, tensor in old.items()}


def of_2021(state: dict[str, Tensor]) -> dict[str, Tensor]:
    kinds = {"matrices": "matrix", "biases": "bias", "factors": "factor"}
    pattern = re.compile(r"entropy_bottleneck\.(matrices|biases|factors)\.(\d)$")
    return {
        pattern.sub(lambda m: f"entropy_bottleneck._{kinds[m[1]]}{m[2]}", name): tensor
        for name, tensor in state.items()
    }


@pytest.mark.parametrize("names", [dict, of_2020, of_2021], ids=["today", "2020", "2021"])
def test_outputs_are_compressais(
    theirs: CompressionModel, names: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    ours = load_released({"state_dict": names(theirs.state_dict()), "epoch": 3})
    x = torch.rand(2, 3, 64, 128)
    with torch.no_grad():
        got, expected = ours(x), theirs(x)
    assert torch.equal(got["x_hat"], expected["x_hat"])
    for stream in ("y", "z"):
        assert torch.equal(got["likelihoods"][stream], expected["likelihoods"][stream])


def test_files_are_written_and_read(name: str, theirs: CompressionModel, tmp_path: Path) -> None:
    path = tmp_path / f"{name}-1-7eb97409.pth.tar"
    torch.save(theirs.state_dict(), path)
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    data = glic_pyg.encode(image, weights=path)
    decoded = np.asarray(glic_pyg.decode(data, weights=path))
    assert decoded.shape == image.shape
    assert glic_pyg.open_info(data).model == f"{name}-1-7eb97409"
    assert glic_pyg.open_info(data).weights_hash == weights_hash(load_released(path))[:16]


def test_published_sizes_are_told_by_the_shapes() -> None:
    """N and M of low and of high rates; the shapes alone are asked for, so nothing is computed."""
    with torch.device("meta"):
        shapes = {"g_a.0.weight": torch.empty(128, 3, 5, 5), "g_a.6.weight": torch.empty(192, 128, 5, 5)}
        shapes |= {"h_a.0.weight": torch.empty(128, 192, 3, 3), "h_s.4.weight": torch.empty(384, 288, 3, 3)}
    assert RELEASES["mbt2018-mean"].config(shapes) == {
        "channels": 128, "latent_channels": 192, "mean_scale": True,
    }  # fmt: skip
    assert [name for name, release in RELEASES.items() if release.config(shapes)] == ["mbt2018-mean"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_models_of_compressai_are_recognised(name: str) -> None:
    with pytest.raises(ValueError, match=f"this looks like CompressAI's .*{name}") as error:
        load_released(OTHERS[name]().state_dict())
    assert "GLIC" in str(error.value) and "\n" not in str(error.value)


def test_incomplete_checkpoints_are_said_to_be_so(theirs: CompressionModel, name: str) -> None:
    state = theirs.state_dict()
    gone = next(key for key in state if key.endswith("quantiles"))
    del state[gone]
    with pytest.raises(ValueError, match=f"not a whole CompressAI {name} .*; tensors 1 missing: {gone}"):
        load_released(state)


def test_the_rest_is_called_something_else() -> None:
    state = {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(1000)}
    with pytest.raises(ValueError, match=r"no model that can be used here .*: conv1\.weight, fc\.bias"):
        load_released(state)
