""".glic files of every backbone: the decoder's latents are the encoder's, under any other settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.decoder_settings import all_together, threads
from glic_pyg.codec.coders import EntropyDecoder, EntropyEncoder, PriorTables
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.models.weights import weights_hash
from tests.contracts.backbones import lively

LARGE = (16, 24)  # steps of y


def codec_of(model: Any) -> ImageCodec:
    return ImageCodec(model, "some-model", weights_hash(model))


def latents(model: Any, x: Tensor, shape: tuple[int, int]) -> Tensor:
    """Latents of any size that look like those of the image x."""
    with torch.no_grad():
        y = model.g_a(x)
    noise = torch.randn(1, y.shape[1], *shape, generator=torch.Generator().manual_seed(1))
    return y.mean((2, 3), keepdim=True) + y.std((2, 3), keepdim=True) * noise


def test_encoder_and_decoder_walk_the_same_way(lively_model: Any, x: Tensor) -> None:
    y = latents(lively_model, x, (8, 12))
    encoder = EntropyEncoder(PriorTables())
    sent = lively_model.code_latents(encoder, y, shape=(8, 12))
    decoder = EntropyDecoder(PriorTables(), encoder.finish(), 1 << 20)
    received = lively_model.code_latents(decoder, None, shape=(8, 12))
    assert torch.equal(sent, received) and encoder.crc == decoder.crc
    assert sent.shape == y.shape and sent.dtype == torch.float64
    assert torch.equal(sent.float().double(), sent)
    assert (sent - y).abs().max() <= 1.01, "half a step of rounding, half a step of correction (MLIC++)"
    assert sent.round().unique().numel() > 2


def test_a_photograph_there_and_back_under_other_settings(lively_model: Any, sample: np.ndarray) -> None:
    codec = codec_of(lively_model)
    analysed: list[Tensor] = []  # a second float32 analysis may differ in its last bit, and so in an edge
    seen = lively_model.g_a.register_forward_hook(lambda _module, _inputs, y: analysed.append(y))
    with threads(1):
        encoded = codec.encode(sample)
        seen.remove()
        (y,) = analysed
        with torch.no_grad():
            sent = lively_model.code_latents(EntropyEncoder(PriorTables()), y, shape=tuple(y.shape[2:]))
        expected = codec.decode(encoded.data).array.astype(int)
    received: list[Tensor] = []
    lively_model.g_s.register_forward_pre_hook(lambda _module, inputs: received.append(inputs[0]))
    with all_together():
        decoded = codec.decode(encoded.data).array.astype(int)
    assert torch.equal(received[0].double(), sent)
    assert expected.shape == sample.shape and (np.abs(decoded - expected) <= 1).mean() >= 0.999


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_decodes_on_the_other_kind_of_machine(name: str, x: Tensor, sample: np.ndarray) -> None:
    """The checksum of the latents makes any disagreement an error."""
    model, twin = lively(name, x), lively(name, x)
    here = codec_of(model)
    there = ImageCodec(twin, here.name, weights_hash(model), device="cuda")
    for writer, reader in ((here, there), (there, here)):
        data = writer.encode(sample).data
        one, other = (codec.decode(data).array.astype(int) for codec in (writer, reader))
        assert (np.abs(one - other) <= 1).mean() >= 0.999


def test_files_do_not_depend_on_their_company(lively_model: Any, sample: np.ndarray) -> None:
    codec = codec_of(lively_model)
    images = [sample[:64, :64], 255 - sample[:, :100]]
    together = [encoded.data for encoded in codec.encode_many(images)]
    assert together == [codec.encode(image).data for image in images]


def test_estimated_and_real_bytes_agree(lively_model: Any, x: Tensor) -> None:
    """Over more latents than the photograph has, so that one percent is more than the fixed costs."""
    y = latents(lively_model, x, LARGE)
    encoder = EntropyEncoder(PriorTables(), estimate=True)
    lively_model.code_latents(encoder, y, shape=LARGE)
    estimated, real = encoder.estimated_bits / 8, len(encoder.finish())
    assert estimated > 500, "too few bytes to tell"
    assert abs(real - estimated) <= 0.01 * estimated + 64


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (112, 72)])
def test_any_size_there_and_back(lively_model: Any, sample: np.ndarray, size: tuple[int, int]) -> None:
    """Sides that no stride divides: y with odd sides, halves of a checkerboard without a place."""
    codec, crop = codec_of(lively_model), sample[: size[0], : size[1]].copy()
    encoded = codec.encode(crop)
    assert codec.decode(encoded.data).array.shape == crop.shape
    latents = -(-size[0] // 16) * -(-size[1] // 16)
    sent: list[int] = []
    coder = EntropyEncoder(PriorTables())
    coder._symbols.encode = lambda symbols, *_: sent.append(symbols.size)  # type: ignore[method-assign]
    y = torch.zeros(1, lively_model.latent_channels, -(-size[0] // 16), -(-size[1] // 16))
    lively_model.code_latents(coder, y, shape=tuple(y.shape[2:]))
    assert sum(sent[1:]) == latents * lively_model.latent_channels, "no symbol lies outside the image"
