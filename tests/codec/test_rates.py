"""Files of variable rate: any quality, and which weights take one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glic_pyg
from glic_pyg.codec import api
from glic_pyg.codec.container import read_container, write_container
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import DEFAULT_QUALITY, RateTarget
from glic_pyg.codec.weights_store import Weights
from glic_pyg.errors import CorruptFile, FixedRate, GlicError
from glic_pyg.metrics import pixel_psnr
from glic_pyg.models.weights import weights_hash
from tests.tiny_cosines import tiny_cosines

LADDER = np.linspace(0, 100, 21)


def psnr_of(codec: ImageCodec, data: bytes, original: np.ndarray) -> float:
    return pixel_psnr(codec.decode(data).array, original)


@pytest.mark.parametrize("quality", [0, 0.004, 12.5, 33.333, 50, 99.99, 100])
def test_there_and_back(variable_codec: ImageCodec, pixels: np.ndarray, quality: float) -> None:
    encoded = variable_codec.encode(pixels, target=RateTarget("quality", quality))
    assert encoded.quality == round(quality, 2) == read_container(encoded.data).header.quality
    assert variable_codec.decode(encoded.data).array.shape == pixels.shape


def test_bytes_and_psnr_rise_with_quality(variable_codec: ImageCodec, smooth: np.ndarray) -> None:
    files = [variable_codec.encode(smooth, target=RateTarget("quality", quality)).data for quality in LADDER]
    sizes = [len(data) for data in files]
    psnrs = [psnr_of(variable_codec, data, smooth) for data in files]
    assert all(a < b for a, b in pairwise(sizes))
    assert all(a < b for a, b in pairwise(psnrs))
    assert sizes[-1] > 2 * sizes[0] and psnrs[-1] > psnrs[0] + 5


def test_the_default_is_a_middle_quality(variable_codec: ImageCodec, pixels: np.ndarray) -> None:
    default = variable_codec.encode(pixels)
    assert default.quality == DEFAULT_QUALITY
    assert default == variable_codec.encode(pixels, target=RateTarget("quality", DEFAULT_QUALITY))


def test_one_analysis_serves_all_qualities(
    variable_codec: ImageCodec, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed: list[int] = []
    analyse = variable_codec._coder.analyse

    def counted(colour: np.ndarray) -> Any:
        analysed.append(1)
        return analyse(colour)

    monkeypatch.setattr(variable_codec._coder, "analyse", counted)
    prepared = variable_codec.prepare(pixels)
    files = [prepared.at(quality) for quality in (80, 20)]
    searched = variable_codec.encode(pixels, target=RateTarget("bytes", len(files[0].data) - 10))
    assert len(searched.data) < len(files[0].data) and len(analysed) == 2
    monkeypatch.undo()
    for file in files:
        assert file == variable_codec.encode(pixels, target=RateTarget("quality", file.quality or 0))


def test_weights_of_one_rate_take_no_target(codec: ImageCodec, pixels: np.ndarray) -> None:
    assert not codec.variable_rate
    assert codec.encode(pixels).quality is None
    for target in (RateTarget("quality", 50), RateTarget("bytes", 500), RateTarget("psnr", 30)):
        with pytest.raises(FixedRate, match="'tiny' code at one rate"):
            codec.encode(pixels, target=target)


def test_a_prepared_image_checks_its_quality(
    codec: ImageCodec, variable_codec: ImageCodec, pixels: np.ndarray
) -> None:
    for prepared, quality in (
        (codec.prepare(pixels), 50.0),
        (variable_codec.prepare(pixels), None),
        (variable_codec.prepare(pixels), 100.01),
    ):
        with pytest.raises(ValueError, match="quality"):
            prepared.at(quality)


def test_files_and_weights_of_the_wrong_kind(
    codec: ImageCodec, variable_codec: ImageCodec, pixels: np.ndarray
) -> None:
    fixed, variable = (read_container(c.encode(pixels).data) for c in (codec, variable_codec))
    with pytest.raises(CorruptFile, match="names a quality"):
        codec.decode(write_container(replace(fixed.header, quality=50.0), fixed.streams))
    with pytest.raises(CorruptFile, match="names no quality"):
        variable_codec.decode(write_container(replace(variable.header, quality=None), variable.streams))


def test_another_quality_in_the_header_is_another_image(
    variable_codec: ImageCodec, smooth: np.ndarray
) -> None:
    """The latents do not depend on it, so this is no disagreement; the image does."""
    data = variable_codec.encode(smooth).data
    container = read_container(data)
    other = write_container(replace(container.header, quality=20.0), container.streams)
    assert psnr_of(variable_codec, other, smooth) < psnr_of(variable_codec, data, smooth) - 3


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Any:
    model = tiny_cosines()
    monkeypatch.setattr(api, "load_shipped", lambda name: Weights("tiny", weights_hash(model), model))
    monkeypatch.setattr(api, "default_name", lambda: "tiny")
    api._from_name.cache_clear()
    yield
    api._from_name.cache_clear()


@pytest.mark.usefixtures("shipped")
def test_python_api(smooth: np.ndarray) -> None:
    image = Image.fromarray(smooth)
    data = glic_pyg.encode(image, quality=70)
    assert glic_pyg.open_info(data).quality == 70
    assert len(data) > len(glic_pyg.encode(image)) > len(glic_pyg.encode(image, quality=30))
    assert 0.98 * 2500 <= len(glic_pyg.encode(image, target_bytes=2500)) <= 2500
    assert glic_pyg.open_info(glic_pyg.encode(image, target_bpp=0.3)).bpp == pytest.approx(0.3, rel=0.02)
    decoded = np.asarray(glic_pyg.decode(glic_pyg.encode(image, target_psnr=30)))
    assert 30 <= pixel_psnr(decoded, smooth) <= 30.05


def test_python_api_takes_one_wish(smooth: np.ndarray) -> None:
    with pytest.raises(GlicError, match="not several"):
        glic_pyg.encode(smooth, quality=50, target_bytes=500)
    with pytest.raises(GlicError, match="from 0 to 100, not 101"):
        glic_pyg.encode(smooth, quality=101)
