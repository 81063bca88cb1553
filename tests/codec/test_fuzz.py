"""Mutated files: each must give an image or a typed error, in bounded time, and never anything else.

``GLIC_FUZZ_COUNT`` sets how many files are tried.
"""

from __future__ import annotations

import io
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from glic_pyg.codec.container import read_glic
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.results import open_info
from glic_pyg.errors import GlicError
from glic_pyg.models.weights import weights_hash
from tests.codec.file_mutations import (
    MUTATIONS,
    Mutation,
    change_a_field,
    change_the_quality,
    damage_the_header,
    exchange_streams,
    flip_bits,
    splice,
)
from tests.codec.test_metadata import exif_block
from tests.tiny_backbone import TinyBackbone
from tests.tiny_cosines import tiny_cosines

COUNT = int(os.environ.get("GLIC_FUZZ_COUNT", "1500"))
SECONDS_A_FILE = 2.0
MAX_PIXELS = 1 << 16


@pytest.fixture(scope="module")
def small_codec() -> ImageCodec:
    """Refuses more than 65,536 pixels, so that bounded means quick."""
    return _small(TinyBackbone())


@pytest.fixture(scope="module")
def small_variable_codec() -> ImageCodec:
    """The same for weights of variable rate."""
    return _small(tiny_cosines())


def _small(model: TinyBackbone) -> ImageCodec:
    return ImageCodec(model, "tiny", weights_hash(model), max_pixels=MAX_PIXELS)


@pytest.fixture(scope="module")
def seeds(small_codec: ImageCodec, pixels: np.ndarray) -> list[bytes]:
    """Good files with every kind of stream."""
    return _seeds(small_codec, pixels)


@pytest.fixture(scope="module")
def variable_seeds(small_variable_codec: ImageCodec, pixels: np.ndarray) -> list[bytes]:
    """The same with a quality in the header."""
    return _seeds(small_variable_codec, pixels)


def _seeds(codec: ImageCodec, pixels: np.ndarray) -> list[bytes]:
    full = Image.fromarray(np.dstack([pixels, pixels[..., 0] // 64 * 64]))
    full.info.update(exif=b"Exif\0\0" + exif_block(6), icc_profile=b"profile" * 30, xmp=b"<xmp>text</xmp>")
    plain = Image.fromarray(pixels[:40, :50])
    return [codec.encode(image).data for image in (full, plain, plain.convert("L"), full.convert("LA"))]


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """No file may make the process grow by more than a few images of the largest size."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000, f"grew by {grown} KiB"


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_mutated_files(small_codec: ImageCodec, seeds: list[bytes], mutate: Mutation) -> None:
    _decode_mutated(small_codec, seeds, mutate, -(-COUNT // len(MUTATIONS)))


@pytest.mark.parametrize(
    "mutate", [flip_bits, splice, damage_the_header, change_the_quality, change_a_field, exchange_streams]
)
def test_mutated_files_of_variable_rate(
    small_variable_codec: ImageCodec,
    variable_seeds: list[bytes],
    mutate: Mutation,
) -> None:
    _decode_mutated(small_variable_codec, variable_seeds, mutate, -(-COUNT // (2 * len(MUTATIONS))))


def _decode_mutated(
    codec: ImageCodec,
    seeds: list[bytes],
    mutate: Mutation,
    count: int,
) -> None:
    rng = np.random.default_rng(MUTATIONS.index(mutate))
    for number in range(count):
        data = mutate(seeds[number % len(seeds)], rng, seeds)
        started = time.process_time()
        with suppress_sentences():
            decoded = codec.decode(read_glic(io.BytesIO(data), max_pixels=MAX_PIXELS))
            header = decoded.container.header
            assert decoded.image.size == (header.width, header.height)
            assert header.width * header.height <= MAX_PIXELS
            assert codec.decode(data).array.tobytes() == decoded.array.tobytes()
        with suppress_sentences():
            assert open_info(data).bytes == len(data)
        assert time.process_time() - started < SECONDS_A_FILE


@contextmanager
def suppress_sentences() -> Iterator[None]:
    """A typed error with a sentence is as good as an image."""
    try:
        yield
    except GlicError as error:
        assert str(error).endswith(".") and "\n" not in str(error), f"not a sentence: {error}"


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_mutations_do_change_files(seeds: list[bytes], mutate: Mutation) -> None:
    """A fuzz test that mutates nothing would pass."""
    rng = np.random.default_rng(1)
    changed = [mutate(seeds[i % len(seeds)], rng, seeds) != seeds[i % len(seeds)] for i in range(30)]
    assert sum(changed) >= 20
