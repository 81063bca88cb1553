"""The whole released model against the authors' implementation.

``glic_128x128_whole.npz`` holds what their code gave in float64, with weights made from names: an image,
y, y_hat, bits, x_hat and the adjacency of the four GFA blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from glic_pyg.graph import WindowGraph
from glic_pyg.models.glic import GLIC
from glic_pyg.models.released import load_released
from glic_pyg.nn import GFABlock
from tests.reference.weights_from_names import weights_from_names

REFERENCE = Path(__file__).parents[1] / "reference" / "glic_128x128_whole.npz"


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def released(arrays: dict[str, np.ndarray]) -> GLIC:
    return load_released(weights_from_names(GLIC(), str(arrays["salt"])))


@dataclass
class Answers:
    """What the model gives for the reference inputs, and how far it may be off."""

    numbers: dict[str, Tensor]
    adjacency: dict[str, Tensor]
    tolerance: float
    edges_equal: float


@pytest.fixture(scope="module", params=["float32", "float64"])
def answers(request: pytest.FixtureRequest, arrays: dict[str, np.ndarray], released: GLIC) -> Answers:
    dtype = getattr(torch, request.param)
    model = released.to(dtype)
    graphs = {
        "g_a_g2": record_graphs(model.g_a.blocks[1]),
        "g_a_g3": record_graphs(model.g_a.blocks[2]),
        "g_s_g1": record_graphs(model.g_s.blocks[0]),
        "g_s_g2": record_graphs(model.g_s.blocks[1]),
    }
    image = torch.from_numpy(arrays["image"]).permute(0, 3, 1, 2).to(dtype) / 255
    with torch.no_grad():
        latents = model.latent_codec(torch.from_numpy(arrays["y"]).to(dtype))
        numbers = {
            "y": model.g_a(image),
            "y_hat": latents["y_hat"],
            "x_hat": model.g_s(torch.from_numpy(arrays["y_hat"]).to(dtype)),
            "ortho_loss": model.ortho_loss(),
        }
    for kind, likelihoods in latents["likelihoods"].items():
        numbers[f"bits_{kind}"] = -likelihoods.log2().flatten(1).sum(1)
    adjacency = {
        f"{b}_{kind}": g.mask.flatten(0, 1) for b, built in graphs.items() for kind, g in built.items()
    }
    return Answers(numbers, adjacency, *((1e-6, 1.0) if dtype == torch.float64 else (2e-3, 0.999)))


def record_graphs(block: GFABlock) -> dict[str, WindowGraph]:
    """A dict that holds the graphs the block used last."""
    built: dict[str, WindowGraph] = {}
    build = block.builder

    def builder(x: Tensor) -> dict[str, WindowGraph]:
        built.update(build(x))
        return built

    block.builder = builder
    return built


@pytest.mark.parametrize("name", ["y", "y_hat", "x_hat", "bits_y", "bits_z", "ortho_loss"])
def test_numbers(answers: Answers, arrays: dict[str, np.ndarray], name: str) -> None:
    expected = torch.from_numpy(np.asarray(arrays[name])).double()
    got = answers.numbers[name].double()
    assert got.shape == expected.shape
    assert (got - expected).norm() <= answers.tolerance * expected.norm()
    assert (got - expected).abs().max() <= answers.tolerance * expected.abs().max()


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("block", ["g_a_g2", "g_a_g3", "g_s_g1", "g_s_g2"])
def test_edges(answers: Answers, arrays: dict[str, np.ndarray], block: str, kind: str) -> None:
    expected = np.unpackbits(arrays[f"{block}_{kind}"], axis=-1).astype(bool)
    equal = answers.adjacency[f"{block}_{kind}"].numpy() == expected
    assert 0.1 < expected.mean() < 0.9
    assert equal.mean() >= answers.edges_equal
