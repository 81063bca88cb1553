"""The same promises with the real architecture, in its smallest size and with untrained weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

import glic_pyg
from benchmarks.decoder_settings import all_together, threads
from glic_pyg.cli.hydra import compose_option
from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.coders import EntropyEncoder, PriorTables
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.codec.weights_store import load_from_path
from glic_pyg.errors import WeightsMismatch, WeightsNotFound
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import save_weights, weights_hash
from tests.models.conftest import TINY


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = instantiate(compose_option("model", "glic_xs"))
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, model, {"trained": False})
    return path


def test_a_weights_file_has_a_name_and_a_hash(weights: Path) -> None:
    loaded = load_from_path(weights)
    assert loaded.name == "untrained"
    assert loaded.hash == weights_hash(loaded.model)  # type: ignore[arg-type]


def test_there_and_back_under_other_settings(weights: Path, pixels: np.ndarray) -> None:
    with threads(1):
        data = glic_pyg.encode(pixels, weights=weights)
        expected = np.asarray(glic_pyg.decode(data, weights=weights)).astype(int)
    with all_together():
        decoded = np.asarray(glic_pyg.decode(data, weights=weights)).astype(int)
    assert (np.abs(decoded - expected) <= 1).mean() >= 0.999


def test_estimated_bits_are_the_models_own(weights: Path, pixels: np.ndarray) -> None:
    """The coder's estimate against what ``latent_codec`` reports to training."""
    codec = codec_for_encoding(None, weights)
    padded = np.pad(pixels, ((0, 38), (0, 126), (0, 0)), mode="edge")
    encoded = codec.encode(padded, estimate=True)
    x = torch.from_numpy(padded).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        likelihoods = codec.model.forward(x)["likelihoods"]
    bits = sum(float(-likelihood.double().log2().sum()) for likelihood in likelihoods.values())
    assert encoded.estimated_bits == pytest.approx(bits, rel=5e-3)


@pytest.fixture(scope="module")
def variable_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small GLIC of variable rate, its levels far apart, its gains stirred as by training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = GLIC(**TINY, levels=(0.0005, 0.005, 0.05))
        for gains in model.rates.parameters():
            gains.data += 0.2 * torch.randn_like(gains)
    path = tmp_path_factory.mktemp("weights") / "variable.safetensors"
    save_weights(path, model, {"trained": False})
    return path


@pytest.mark.parametrize("quality", [0, 21.5, 50, 100])
def test_any_quality_there_and_back(variable_weights: Path, pixels: np.ndarray, quality: float) -> None:
    """y is scaled before the entropy model, y_hat unscaled after it, by the gains of that quality."""
    padded = np.pad(pixels, ((0, 38), (0, 126), (0, 0)), mode="edge")
    data = glic_pyg.encode(padded, weights=variable_weights, quality=quality)
    decoded = np.asarray(glic_pyg.decode(data, weights=variable_weights)).astype(int)
    model = codec_for_encoding(None, variable_weights).model
    assert isinstance(model, GLIC) and model.rates is not None
    with torch.inference_mode():
        y = model.rates.scale(model.g_a(torch.from_numpy(padded).permute(2, 0, 1)[None] / 255), quality)
        y_hat = model.code_latents(EntropyEncoder(PriorTables()), y, shape=(8, 16)).float()
        x_hat = model.g_s(model.rates.unscale(y_hat, quality))
    expected = (x_hat[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(int)
    assert (np.abs(decoded - expected) <= 1).mean() >= 0.999 and decoded.std() > 10


def test_estimated_bits_of_a_quality(variable_weights: Path, pixels: np.ndarray) -> None:
    codec = codec_for_encoding(None, variable_weights)
    padded = np.pad(pixels, ((0, 38), (0, 126), (0, 0)), mode="edge")
    x = torch.from_numpy(padded).permute(2, 0, 1)[None] / 255
    bits = {}
    for quality in (10.0, 90.0):
        encoded = codec.encode(padded, target=RateTarget("quality", quality), estimate=True)
        with torch.inference_mode():
            likelihoods = codec.model.forward(x, quality)["likelihoods"]  # type: ignore[call-arg]
        bits[quality] = sum(float(-likelihood.double().log2().sum()) for likelihood in likelihoods.values())
        assert encoded.estimated_bits == pytest.approx(bits[quality], rel=2e-2)
    assert bits[90.0] > 1.2 * bits[10.0]


def test_retrained_weights_do_not_decode_old_files(weights: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    data = glic_pyg.encode(pixels, weights=weights)
    loaded = load_from_path(weights)
    assert isinstance(loaded.model, GLIC)
    next(loaded.model.parameters()).data += 1e-3
    save_weights(tmp_path / "other.safetensors", loaded.model, {})
    with pytest.raises(WeightsMismatch, match="'untrained'"):
        glic_pyg.decode(data, weights=tmp_path / "other.safetensors")


def test_files_of_the_former_hash_stay_readable(weights: Path, pixels: np.ndarray) -> None:
    """Weights that were trained before the configuration was part of the hash still decode their files."""
    loaded = load_from_path(weights)
    assert loaded.former_hash is not None
    before = ImageCodec(loaded.model, loaded.name, loaded.former_hash).encode(pixels).data
    assert glic_pyg.open_info(before).weights_hash == loaded.former_hash[:16]
    now = glic_pyg.encode(pixels, weights=weights)
    assert glic_pyg.open_info(now).weights_hash == loaded.hash[:16] != loaded.former_hash[:16]
    images = [np.asarray(glic_pyg.decode(data, weights=weights)) for data in (before, now)]
    assert np.array_equal(*images)


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    for name in ("a.safetensors", "a.pth.tar"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(WeightsNotFound, match="Cannot use the weights"):
            load_from_path(tmp_path / name)
