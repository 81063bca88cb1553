"""The released size against what the authors' code gave in float64.

``mlicpp_64x128.npz`` holds an image, y, y_hat, x_hat and bits, with weights made from names;
``mlicpp_names.txt`` the names, kinds and shapes of all tensors of a checkpoint.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from glic_pyg.models.key_mapping import released_name
from glic_pyg.models.mlicpp import MLICpp
from glic_pyg.models.released import load_released
from tests.models.test_mlicpp import arguments
from tests.reference.weights_from_names import weights_from_names

REFERENCE = Path(__file__).parents[1] / "reference"


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def whole() -> MLICpp:
    """Freshly initialised."""
    return MLICpp().double()


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(REFERENCE / "mlicpp_64x128.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def tensors() -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape by released name."""
    lines = (REFERENCE / "mlicpp_names.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split() for line in lines)
    return {name: (kind, tuple(map(int, shape.split("x")))) for name, kind, shape in rows}


def test_sizes(whole: MLICpp) -> None:
    assert count(whole) == 83_501_408
    assert (count(whole.g_a), count(whole.g_s)) == (4_396_352, 14_700_172)
    assert whole.config == arguments("mlicpp")


def test_size_of_2023() -> None:
    assert count(MLICpp(synthesis_width=192, residual_widths=None)) == 116_716_928


def test_every_tensor_of_a_checkpoint_is_accounted_for(
    whole: MLICpp, tensors: dict[str, tuple[str, tuple[int, ...]]]
) -> None:
    own = {released_name(name, "mlicpp"): tuple(p.shape) for name, p in whole.named_parameters()}
    assert own == {name: shape for name, (kind, shape) in tensors.items() if kind == "parameter"}
    assert (len(tensors), len(own)) == (1023, 977)


@pytest.fixture(scope="module")
def released(
    whole: MLICpp, arrays: dict[str, np.ndarray], tensors: dict[str, tuple[str, tuple[int, ...]]]
) -> MLICpp:
    """Loaded from all 1,023 tensors."""
    weights = weights_from_names(whole.float(), str(arrays["salt"]), "mlicpp")
    whole.double()
    buffers = {name: torch.zeros(shape) for name, (kind, shape) in tensors.items() if kind == "buffer"}
    model = load_released(weights | buffers, model="mlicpp")
    assert isinstance(model, MLICpp)
    return model.double()


def test_numbers(released: MLICpp, arrays: dict[str, np.ndarray]) -> None:
    image = torch.from_numpy(arrays["image"]).permute(0, 3, 1, 2).double() / 255
    with torch.no_grad():
        y = released.g_a(image)
        latents = released.latent_codec(y)
        x_hat = released.g_s(torch.from_numpy(arrays["y_hat"]).double())
    bits = {kind: -p.log2().flatten(1).sum(1) for kind, p in latents["likelihoods"].items()}
    answers = {"y": y, "y_hat": latents["y_hat"], "x_hat": x_hat, "bits_y": bits["y"], "bits_z": bits["z"]}
    for name, got in answers.items():
        expected = torch.from_numpy(arrays[name]).double()
        assert got.shape == expected.shape
        assert (got - expected).norm() <= 1e-6 * expected.norm(), name
        assert (got - expected).abs().max() <= 1e-6 * expected.abs().max(), name
