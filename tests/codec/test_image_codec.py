"""Whole files with a tiny model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import glic_pyg
from glic_pyg.codec import api
from glic_pyg.codec.container import read_container, write_container
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.weights_store import Weights
from glic_pyg.errors import (
    BadArgument,
    ImageTooLarge,
    NonFiniteLatents,
    WeightsMismatch,
    WeightsNotFound,
)
from glic_pyg.models.weights import weights_hash
from tests.codec.test_metadata import exif_block
from tests.contracts.backbones import untrained
from tests.tiny_backbone import TinyBackbone


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (64, 64), (65, 63), (130, 90)])
def test_any_size(codec: ImageCodec, pixels: np.ndarray, size: tuple[int, int]) -> None:
    image = Image.fromarray(pixels).resize(size)
    encoded = codec.encode(image)
    assert codec.decode(encoded.data).image.size == size
    assert encoded.bpp == pytest.approx(8 * len(encoded.data) / (size[0] * size[1]))


def test_latents_cover_the_image_and_no_more(codec: ImageCodec, pixels: np.ndarray) -> None:
    """What continues a flat image is as flat: the latents are those of the image with longer sides."""
    flat = np.full((96, 144, 3), 90, np.uint8)
    whole = codec.encode(flat)
    for height, width in ((81, 129), (90, 144), (96, 130)):
        part = codec.encode(flat[:height, :width])
        assert part.latent_bits == whole.latent_bits
        assert (codec.decode(part.data).array == codec.decode(whole.data).array[:height, :width]).all()
    assert codec.encode(flat[:80]).latent_bits < whole.latent_bits


@pytest.mark.parametrize("version", [1, 2])
def test_files_of_older_versions_cover_what_was_padded(
    codec: ImageCodec, variable_codec: ImageCodec, pixels: np.ndarray, version: int
) -> None:
    """They pad to multiples of 64, for this model, and decode as part of the padded image."""
    coder = (codec, variable_codec)[version - 1]
    padded = np.pad(pixels, ((0, 38), (0, 62), (0, 0)), mode="edge")
    container = read_container(coder.encode(padded).data)
    header = replace(container.header, width=130, height=90, version=version)
    decoded = coder.decode(write_container(header, container.streams)).array
    assert decoded.shape == (90, 130, 3)
    assert (decoded == coder.decode(coder.encode(padded).data).array[:90, :130]).all()


@pytest.mark.parametrize(("mode", "shape"), [("L", ()), ("LA", (2,)), ("RGB", (3,)), ("RGBA", (4,))])
def test_modes_come_back(codec: ImageCodec, pixels: np.ndarray, mode: str, shape: tuple[int, ...]) -> None:
    image = Image.fromarray(np.dstack([pixels, pixels[..., :1]])).convert(mode)
    decoded = codec.decode(codec.encode(image).data)
    assert decoded.image.mode == mode
    assert decoded.array.shape == (90, 130, *shape)
    if mode.endswith("A"):
        assert (decoded.array[..., -1] == np.asarray(image)[..., -1]).all()


def test_grey_is_the_mean_of_the_decoded_channels(codec: ImageCodec, pixels: np.ndarray) -> None:
    grey = pixels[..., 0]
    colours = codec.decode(codec.encode(np.dstack([grey] * 3)).data).array
    mean = codec.decode(codec.encode(grey).data).array
    assert np.abs(mean - colours.astype(float).mean(axis=-1)).max() <= 1.0


def test_metadata_come_back(codec: ImageCodec, pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    image.info.update(exif=b"Exif\0\0" + exif_block(3), icc_profile=b"profile" * 90, xmp=b"<xmp/>")
    back = codec.decode(codec.encode(image).data).image
    assert back.info["exif"] == b"Exif\0\0" + exif_block(1)
    assert back.info["icc_profile"] == b"profile" * 90 and back.info["xmp"] == b"<xmp/>"


def test_the_source_is_not_changed(codec: ImageCodec, pixels: np.ndarray) -> None:
    before = pixels.copy()
    image = Image.fromarray(pixels)
    codec.encode(image)
    codec.encode(pixels)
    assert (pixels == before).all() and (np.asarray(image) == before).all()


def test_estimated_and_real_bits_agree(codec: ImageCodec, pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels).resize((1024, 768), Image.Resampling.BICUBIC)
    encoded = codec.encode(image, estimate=True)
    assert encoded.estimated_bits is not None
    real, estimated = 8 * len(encoded.data), encoded.estimated_bits
    assert estimated > 20_000, "too few bits to tell"
    assert abs(real - estimated) <= 0.01 * estimated + 8 * 64


def test_bf16_changes_pixels_a_little_and_nothing_else(pixels: np.ndarray) -> None:
    model = untrained("attention")
    exact, fast = (ImageCodec(model, "t", weights_hash(model), precision=p) for p in ("float32", "bf16"))
    data = fast.encode(pixels).data
    one, other = fast.decode(data).array.astype(int), exact.decode(data).array.astype(int)
    assert 0 < np.abs(one - other).max() <= 4
    with pytest.raises(BadArgument, match="precision"):
        ImageCodec(model, "tiny", weights_hash(model), precision="half")  # type: ignore[arg-type]


def test_other_weights_are_named(codec: ImageCodec, pixels: np.ndarray) -> None:
    model = TinyBackbone(seed=1)
    other = ImageCodec(model, "other", weights_hash(model))
    with pytest.raises(WeightsMismatch, match=r"'tiny' \(\w{16}\).*'other' \(\w{16}\)"):
        other.decode(codec.encode(pixels).data)


def test_the_limit_counts_pixels(pixels: np.ndarray) -> None:
    model = TinyBackbone()
    small = ImageCodec(model, "tiny", weights_hash(model), max_pixels=64 * 64)
    data = small.encode(pixels[:64, :64]).data
    assert small.decode(data).image.size == (64, 64)
    old = replace(read_container(data).header, width=70, height=50, version=1)
    with pytest.raises(ImageTooLarge, match="128x64"):
        small.decode(write_container(old, read_container(data).streams))
    for image in (pixels[:65, :64], pixels, Image.new("L", (4097, 1))):
        with pytest.raises(ImageTooLarge, match="--max-pixels"):
            small.encode(image)


def test_a_broken_model_is_said(pixels: np.ndarray) -> None:
    model = TinyBackbone()
    model.analysis.bias.data[3] = torch.nan
    with pytest.raises(NonFiniteLatents, match="not finite"):
        ImageCodec(model, "broken", "00" * 32).encode(pixels)


def test_python_api(monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray) -> None:
    model = TinyBackbone()
    weights = Weights("tiny", weights_hash(model), model)
    monkeypatch.setattr(api, "load_shipped", lambda name: weights)
    monkeypatch.setattr(api, "default_name", lambda: "tiny")
    api._from_name.cache_clear()
    data = glic_pyg.encode(pixels)
    assert data == glic_pyg.encode(Image.fromarray(pixels))
    assert np.asarray(glic_pyg.decode(data)).shape == pixels.shape
    info = glic_pyg.open_info(data)
    assert (info.width, info.height, info.mode, info.bytes) == (130, 90, "RGB", len(data))
    assert info.bpp == pytest.approx(8 * len(data) / pixels[..., 0].size)
    api._from_name.cache_clear()


def test_missing_weights_are_said(pixels: np.ndarray) -> None:
    with pytest.raises(WeightsNotFound, match="nowhere"):
        glic_pyg.encode(pixels, weights="nowhere.safetensors")
    with pytest.raises(WeightsNotFound, match="no weights 'unheard-of'"):
        glic_pyg.encode(pixels, model="unheard-of")


def test_unknown_names_of_the_package() -> None:
    with pytest.raises(AttributeError, match="no attribute 'compress'"):
        _ = glic_pyg.compress
    assert {"encode", "decode", "open_info", "load_released"} <= set(dir(glic_pyg))
