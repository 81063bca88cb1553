"""Coding latents: encoder and decoder walk the same path, which is the one trained on."""

from __future__ import annotations

from copy import deepcopy
from inspect import signature

import pytest
import torch
from torch import Tensor

from glic_pyg.models.base import EntropyCoder
from glic_pyg.models.glic import GLIC
from tests.recording_coders import RecordingDecoder, RecordingEncoder

SHAPE = (8, 12)
Y_SHAPE = (1, 16, *SHAPE)


@pytest.fixture
def y() -> Tensor:
    return torch.randn(Y_SHAPE) * 4


@pytest.fixture
def lively(tiny: GLIC) -> GLIC:
    """Hyper-latents of several integers and parameters that move with their context."""
    with torch.no_grad():
        tiny.latent_codec.hyper.h_a[-1].weight.mul_(30)
        tiny.latent_codec.hyper.h_s[-1].weight.mul_(3)
    return tiny


@pytest.mark.parametrize("method", ["factorized", "gaussian", "lattice"])
def test_recording_coders_fulfil_the_contract(method: str) -> None:
    ours, wanted = (signature(getattr(kind, method)) for kind in (RecordingEncoder, EntropyCoder))
    assert ours.parameters.keys() == wanted.parameters.keys()


@pytest.mark.parametrize("lattice", [256, None], ids=["snapped", "exact"])
def test_decoder_gets_what_the_encoder_has(lively: GLIC, y: Tensor, lattice: int | None) -> None:
    encoder = RecordingEncoder(lattice)
    sent = lively.code_latents(encoder, y, shape=SHAPE)
    decoder = RecordingDecoder(encoder)
    received = lively.code_latents(decoder, shape=SHAPE)
    assert decoder.waiting == []
    assert sent.dtype == torch.float64 and sent.shape == Y_SHAPE
    assert torch.equal(sent, received)
    assert all(torch.equal(a, b) for a, b in zip(encoder.scales, decoder.scales, strict=True))


def test_every_latent_is_coded_once(lively: GLIC, y: Tensor) -> None:
    encoder = RecordingEncoder(256)
    lively.code_latents(encoder, y, shape=SHAPE)
    z, *halves = encoder.symbols
    assert z.shape == (1, 6, 2, 3) and len(z.unique()) > 3
    assert len(halves) == 6
    assert sum(half.numel() for half in halves) == y.numel()
    assert all(len(half.unique()) > 5 for half in halves)


def test_exact_channel_gives_the_training_forward(lively: GLIC, y: Tensor) -> None:
    model = lively.double()
    walked = model.code_latents(RecordingEncoder(None), y.double(), shape=SHAPE)
    with torch.no_grad():
        forward = model.latent_codec(y.double())["y_hat"]
    torch.testing.assert_close(walked, forward, rtol=0, atol=1e-10)


def test_snapping_moves_y_hat_by_no_more_than_it_must(lively: GLIC, y: Tensor) -> None:
    """y_hat = snapped mean + round(y - snapped mean) stays within half a step of y; exact in float32."""
    walked = lively.code_latents(RecordingEncoder(256), y, shape=SHAPE)
    assert (walked - y).abs().max() <= 0.5
    assert torch.equal(walked.float().double(), walked)
    exact = lively.code_latents(RecordingEncoder(None), y, shape=SHAPE)
    assert not torch.equal(walked, exact)
    assert ((walked - exact).abs() < 0.05).double().mean() > 0.9


def test_float32_model_walks_in_float64(lively: GLIC, y: Tensor) -> None:
    """The walk depends on the symbols, not on whether the weights were converted before."""
    encoder = RecordingEncoder(256)
    sent = lively.code_latents(encoder, y, shape=SHAPE)
    received = deepcopy(lively).double().code_latents(RecordingDecoder(encoder), shape=SHAPE)
    assert torch.equal(sent, received)


def test_walk_leaves_the_weights_alone(lively: GLIC, y: Tensor) -> None:
    before = {name: tensor.clone() for name, tensor in lively.state_dict().items()}
    lively.code_latents(RecordingEncoder(256), y, shape=SHAPE)
    for name, tensor in lively.state_dict().items():
        assert torch.equal(tensor, before[name]), name
