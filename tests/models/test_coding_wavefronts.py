"""Coding by wavefronts: the same as place by place, which is how CompressAI codes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from compressai.models import get_scale_table
from torch import Tensor

from glic_pyg.models import coding
from glic_pyg.models.coding import code_wavefronts, wavefronts
from glic_pyg.models.compressai import Autoregressive
from tests.recording_coders import RecordingDecoder, RecordingEncoder

HEIGHT, WIDTH = 8, 12


@pytest.fixture
def model() -> Autoregressive:
    """Contexts strong enough that every place depends on its neighbours."""
    model = Autoregressive(channels=6, latent_channels=9).eval()
    with torch.no_grad():
        model.latent_codec.y.context_prediction.weight.mul_(5)
        model.latent_codec.y.entropy_parameters[-1].weight.mul_(5)
    return model


@pytest.fixture
def y() -> Tensor:
    return torch.randn(1, 9, HEIGHT, WIDTH) * 4


@pytest.fixture
def side() -> Tensor:
    return torch.randn(1, 18, HEIGHT, WIDTH, dtype=torch.float64)


def one_by_one(height: int, width: int, reach: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Raster order, in place of ``wavefronts``."""
    for row in range(height):
        for column in range(width):
            yield torch.tensor([row]), torch.tensor([column])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (7, 1), (8, 12), (12, 4)])
def test_every_place_comes_once_and_after_all_that_it_reads(height: int, width: int) -> None:
    step = torch.full((height, width), -1)
    fronts = list(wavefronts(height, width, reach=2))
    for number, (rows, columns) in enumerate(fronts):
        assert (step[rows, columns] == -1).all()
        step[rows, columns] = number
    assert (step >= 0).all() and len(fronts) == width + 3 * (height - 1)
    for row in range(height):
        for column in range(width):
            above = step[max(0, row - 2) : row, max(0, column - 2) : column + 3]
            left = step[row, max(0, column - 2) : column]
            assert all((earlier < step[row, column]).all() for earlier in (above, left))


def test_equals_place_by_place(
    model: Autoregressive, y: Tensor, side: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad():
        together = code_wavefronts(model.latent_codec.y, RecordingEncoder(256), y, side)
        monkeypatch.setattr(coding, "wavefronts", one_by_one)
        alone = code_wavefronts(model.latent_codec.y, RecordingEncoder(256), y, side)
    assert torch.equal(together, alone)


def test_equals_what_compressai_writes(model: Autoregressive, y: Tensor, side: Tensor) -> None:
    codec = model.latent_codec.y
    codec.gaussian_conditional.update_scale_table(get_scale_table().tolist())
    with torch.no_grad():
        ours = code_wavefronts(codec, RecordingEncoder(None), y, side)
        theirs = codec.double().compress(y.double(), side)["y_hat"]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    assert (ours - y.round()).abs().max() > 0.1, "the means must matter, or there is nothing to compare"


def test_decoder_gets_what_the_encoder_has(model: Autoregressive, y: Tensor, side: Tensor) -> None:
    encoder = RecordingEncoder(256)
    with torch.no_grad():
        sent = code_wavefronts(model.latent_codec.y, encoder, y, side)
        decoder = RecordingDecoder(encoder)
        received = code_wavefronts(model.latent_codec.y, decoder, None, side)
    assert torch.equal(sent, received) and not decoder.waiting
    assert sum(symbols.numel() for symbols in encoder.symbols) == y.numel()


def test_likelihoods_of_the_walk_are_those_of_the_forward_pass(model: Autoregressive, y: Tensor) -> None:
    """Given the same y_hat, here integers, the forward pass sees the same scales as the walk."""
    codec, encoder = model.latent_codec.y.double(), RecordingEncoder(1)
    y, side = y.round().double(), torch.randn(1, 18, HEIGHT, WIDTH, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(code_wavefronts(codec, encoder, y, side), y)
        parameters = codec.entropy_parameters(torch.cat([side, codec.context_prediction(y)], 1))
    scales = torch.empty(1, 9, HEIGHT, WIDTH, dtype=torch.float64)
    for (rows, columns), part in zip(wavefronts(HEIGHT, WIDTH, 2), encoder.scales, strict=True):
        scales[:, :, rows, columns] = part[:, :, 0]
    torch.testing.assert_close(scales, parameters.chunk(2, 1)[0], rtol=0, atol=1e-10)
