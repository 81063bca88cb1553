"""Slice by slice: against a twin that works on whole maps, and from the encoder to the decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from compressai.entropy_models import GaussianConditional
from compressai.ops import quantize_ste
from PIL import Image
from torch import Tensor

from glic_pyg.codec.coders import EntropyDecoder, EntropyEncoder, PriorTables
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.pixels import ExtendedImage, colour_from_tensor
from glic_pyg.models.checkerboard import OTHERS, is_anchor, only
from glic_pyg.models.mlicpp import MLICpp
from glic_pyg.models.mlicpp.latent_codec import LatentCodec, SliceCodec
from glic_pyg.models.weights import load_weights, save_weights, weights_hash
from tests.models.tiny_mlicpp import lively_mlicpp
from tests.recording_coders import RecordingEncoder

SHAPE = (8, 12)


@pytest.fixture
def model() -> MLICpp:
    return lively_mlicpp()


@pytest.fixture
def y() -> Tensor:
    return torch.randn(1, 12, *SHAPE) * 4


def plain(codec: LatentCodec, y: Tensor) -> tuple[Tensor, Tensor]:
    """y_hat and likelihoods of y; every network on whole maps, what is not wanted masked out."""
    medians = codec.entropy_bottleneck.quantiles[:, :, 1:2].detach()
    side = codec.h_s(quantize_ste(codec.h_a(y) - medians) + medians)
    decoded: list[Tensor] = []
    likelihoods = []
    for part, values in zip(codec.slices, y.chunk(len(codec.slices), 1), strict=True):
        y_hat, likelihood = plain_slice(part, side, decoded, values)
        decoded.append(y_hat)
        likelihoods.append(likelihood)
    return torch.cat(decoded, 1), torch.cat(likelihoods, 1)


def plain_slice(
    codec: SliceCodec, side: Tensor, decoded: list[Tensor], values: Tensor
) -> tuple[Tensor, Tensor]:
    anchors = is_anchor(*values.shape[2:], values.device)
    means_of_side = side.chunk(2, 1)[1]
    before = [codec.inter(torch.cat(decoded, 1)), codec.channel(torch.cat(decoded, 1))] if decoded else []

    def quantised(parameters: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scales, means = (parameters * mask).chunk(2, 1)
        return (quantize_ste(values - means) + means) * mask, scales, means

    def corrected(network: torch.nn.Module, current: Tensor, mask: Tensor) -> Tensor:
        return current + 0.5 * torch.tanh(network(torch.cat([means_of_side, *decoded, current], 1))) * mask

    context = torch.cat([*before, side], 1)
    first, scales_a, means_a = quantised(codec.anchor_parameters(context), anchors)
    first = corrected(codec.anchor_residual, first, anchors)
    near = [only(codec.local(first), OTHERS)]
    if decoded:
        near.append(codec.intra(decoded[-1], first))
    context = torch.cat([*near, *before, side], 1)
    second, scales_o, means_o = quantised(codec.other_parameters(context), ~anchors)
    y_hat = corrected(codec.other_residual, first + second, ~anchors)
    prior = GaussianConditional(None).eval()
    return y_hat, prior(values, scales_a + scales_o, means_a + means_o)[1]


def test_forward_is_the_one_on_whole_maps(model: MLICpp, y: Tensor) -> None:
    """In output and in the gradient of y and of every parameter."""
    codec, y = model.latent_codec.double(), y.double().requires_grad_()
    wanted = [y, *(p for name, p in codec.named_parameters() if "entropy_bottleneck" not in name)]
    answers = codec(y)
    found, expected = (answers["y_hat"], answers["likelihoods"]["y"]), plain(codec, y)
    gradients = []
    for y_hat, likelihoods in (found, expected):
        loss = y_hat.square().mean() - likelihoods.log2().mean()
        gradients.append(torch.autograd.grad(loss, wanted))
    for mine, theirs in zip([*found, *gradients[0]], [*expected, *gradients[1]], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


def test_coding_is_the_forward_pass_but_for_the_lattice(model: MLICpp, y: Tensor) -> None:
    """Through an entropy coder that rounds as training does, y_hat is that of the forward pass."""
    walked = model.code_latents(RecordingEncoder(None), y, shape=SHAPE)
    with torch.no_grad():
        exact = in_double(model).latent_codec(y.double())["y_hat"]
    assert walked.dtype == torch.float64
    torch.testing.assert_close(walked, exact, rtol=0, atol=1e-10)


def in_double(model: MLICpp) -> MLICpp:
    copy = MLICpp(**model.config)
    copy.load_state_dict(model.state_dict())
    return copy.double().eval()


def test_decoder_gets_what_the_encoder_has(model: MLICpp, y: Tensor) -> None:
    encoder = EntropyEncoder(PriorTables(), estimate=True)
    sent = model.code_latents(encoder, y, shape=SHAPE)
    data = encoder.finish()
    decoder = EntropyDecoder(PriorTables(), data, 1 << 20)
    received = model.code_latents(decoder, shape=SHAPE)
    assert torch.equal(sent, received) and decoder.crc == encoder.crc
    assert torch.equal(sent, (sent * 256).round() / 256)
    assert (sent - y).abs().max() <= 1 + 1 / 256
    assert 0 < 8 * len(data) <= encoder.estimated_bits * 1.02 + 64
    assert float((sent - y).abs().mean()) > 0.1


def test_residual_prediction_reaches_the_decoded_latents(model: MLICpp, y: Tensor) -> None:
    """Were it lost in coding, y_hat would be a mean plus an integer: off y by at most half a step."""
    sent = model.code_latents(EntropyEncoder(PriorTables(), estimate=False), y, shape=SHAPE)
    assert (sent - y).abs().max() > 0.6


def test_file_there_and_back(model: MLICpp, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_weights(path, model, {})
    again = load_weights(path)
    assert isinstance(again, MLICpp) and again.config == model.config
    image = np.asarray(Image.open(Path(__file__).parents[2] / "data/samples/dog.png").convert("RGB"))
    image = image[:70, :100].copy()
    data = ImageCodec(model, "tiny", weights_hash(model)).encode(image).data
    decoded = ImageCodec(again, "tiny", weights_hash(again)).decode(data).array
    with torch.no_grad():
        y = model.analyse(ExtendedImage(image, 16, torch.device("cpu")))
        y_hat = model.code_latents(EntropyEncoder(PriorTables(), estimate=False), y, shape=(5, 7))
        expected = colour_from_tensor(model.g_s(y_hat.float()), 100, 70, grey=False)
    assert np.array_equal(decoded, expected)
