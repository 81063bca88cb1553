"""Every size of every backbone takes a photograph to a file and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor

from glic_pyg.cli.hydra import compose_option, config_dir
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.models.weights import load_weights, save_weights, weights_hash
from tests.contracts.backbones import enlivened

SIZES = sorted(path.stem for path in (config_dir() / "model").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_photograph_there_and_back(size: str, x: Tensor, sample: np.ndarray, tmp_path: Path) -> None:
    """The decoder's model comes from a weights file of the encoder's."""
    torch.manual_seed(0)
    model = instantiate(compose_option("model", size)).eval()
    save_weights(tmp_path / "a.safetensors", model, {})
    coders = [
        ImageCodec(enlivened(twin, x), size, weights_hash(model))
        for twin in (model, load_weights(tmp_path / "a.safetensors"))
    ]
    encoded = coders[0].encode(sample)
    assert len(encoded.data) > 500, "too little is coded to tell"
    here, there = (coder.decode(encoded.data).array for coder in coders)
    assert here.shape == sample.shape and np.array_equal(here, there)
