"""What shipped weights of variable rate promise, held on the sample images; minutes, so on demand."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.codec.weights_store import shipped_names
from glic_pyg.metrics import pixel_psnr

pytestmark = pytest.mark.slow
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
LADDER = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)


@pytest.fixture(params=shipped_names())
def codec(request: pytest.FixtureRequest) -> ImageCodec:
    codec = codec_for_encoding(request.param, None)
    if not codec.variable_rate:
        pytest.skip(f"{request.param} is of one rate")
    return codec


@pytest.fixture(params=["city", "dog"])
def image(request: pytest.FixtureRequest) -> np.ndarray:
    return np.array(Image.open(SAMPLES / f"{request.param}.png").convert("RGB"))


def test_bytes_and_psnr_rise_with_quality(codec: ImageCodec, image: np.ndarray) -> None:
    prepared = codec.prepare(image)
    files = [prepared.at(quality).data for quality in LADDER]
    psnrs = [pixel_psnr(codec.decode(data).array, image) for data in files]
    assert all(len(a) < len(b) for a, b in pairwise(files))
    assert all(a < b for a, b in pairwise(psnrs))
    assert len(files[-1]) > 6 * len(files[0]), "the range of rates"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_targets_are_met(codec: ImageCodec, image: np.ndarray, share: float) -> None:
    prepared = codec.prepare(image)
    low, high = (prepared.at(quality) for quality in (0, 100))
    size = low.bpp * (high.bpp / low.bpp) ** share
    assert 0.98 * size <= prepared.reach(RateTarget("bpp", size)).bpp <= size
    ends = [pixel_psnr(codec.decode(end.data).array, image) for end in (low, high)]
    psnr = ends[0] + share * (ends[1] - ends[0])
    met = codec.decode(prepared.reach(RateTarget("psnr", psnr)).data).array
    assert psnr <= pixel_psnr(met, image) <= psnr + 0.05
