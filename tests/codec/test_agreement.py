"""The promise of the format: the decoder's latents are the encoder's, or there is an error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.decoder_settings import SETTINGS, threads, two_threads, without_onednn
from glic_pyg.codec.coders import EntropyEncoder, PriorTables
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.codec.rounding import LATTICE, MARGIN, lattice_coordinates, level_coordinates
from glic_pyg.codec.tables import LOG_SCALE_STEP
from glic_pyg.errors import LatentMismatch
from glic_pyg.models.weights import weights_hash
from tests.tiny_backbone import TinyBackbone


@pytest.mark.parametrize("setting", SETTINGS)
def test_decodes_under_other_settings(codec: ImageCodec, pixels: np.ndarray, setting: str) -> None:
    agrees(codec, pixels, None, setting)


@pytest.mark.parametrize("quality", [0, 37.25, 100])
@pytest.mark.parametrize("setting", SETTINGS)
def test_any_quality_decodes_under_other_settings(
    variable_codec: ImageCodec, pixels: np.ndarray, setting: str, quality: float
) -> None:
    agrees(variable_codec, pixels, RateTarget("quality", quality), setting)


def agrees(codec: ImageCodec, pixels: np.ndarray, target: RateTarget | None, setting: str) -> None:
    """The checksum of the latents makes any disagreement about them an error."""
    with threads(1):
        data = codec.encode(pixels, target=target).data
        expected = codec.decode(data).array.astype(int)
    with SETTINGS[setting]():
        decoded = codec.decode(data).array.astype(int)
    assert (np.abs(decoded - expected) <= 1).mean() >= 0.999


def test_float64_networks_differ_far_less_than_the_margin() -> None:
    """What the margin is held against: one walk with one thread, one with two and without oneDNN."""
    model, seen = TinyBackbone(), []

    class Spy(EntropyEncoder):
        def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
            seen.append((means.clone(), scales.clone()))
            return super().gaussian(means, scales, values)

    y = 5 * torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(2))
    with threads(1):
        model.code_latents(Spy(PriorTables()), y, shape=(32, 32))
    with two_threads(), without_onednn():
        model.code_latents(Spy(PriorTables()), y, shape=(32, 32))
    half = len(seen) // 2
    for one, other in zip(seen[:half], seen[half:], strict=True):
        drift = (lattice_coordinates(one[0]) - lattice_coordinates(other[0])).abs().max() / LATTICE
        assert drift < MARGIN / 1000
        drift = (level_coordinates(one[1]) - level_coordinates(other[1])).abs().max() * LOG_SCALE_STEP
        assert drift < MARGIN / 1000


def test_a_real_disagreement_is_an_error(codec: ImageCodec, pixels: np.ndarray) -> None:
    """Weights that differ in the last float32 bit stand for a machine that computes something else."""
    data = codec.encode(pixels).data
    model = TinyBackbone()
    model.context[0].bias.data += 1e-3
    other = ImageCodec(model, codec.name, codec.hash_prefix.hex())
    with pytest.raises(LatentMismatch, match="no image was made"):
        other.decode(data)


def test_one_by_one_or_many_the_files_are_the_same(codec: ImageCodec, pixels: np.ndarray) -> None:
    images = [pixels, pixels[:64, :64], 255 - pixels]
    together = [encoded.data for encoded in codec.encode_many(images)]
    assert together == [codec.encode(image).data for image in images]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_decodes_on_the_other_kind_of_machine(codec: ImageCodec, pixels: np.ndarray) -> None:
    model = TinyBackbone()
    gpu = ImageCodec(model, "tiny", weights_hash(model), device="cuda")
    for writer, reader in ((codec, gpu), (gpu, codec)):
        data = writer.encode(pixels).data
        here, there = writer.decode(data).array.astype(int), reader.decode(data).array.astype(int)
        assert (np.abs(here - there) <= 1).mean() >= 0.999
