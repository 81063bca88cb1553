"""Mutated files: each must give a picture or a typed error, in bounded time, and never anything else.

``GLIC_FUZZ_COUNT`` sets how many files are tried.
"""

from __future__ import annotations

import os
import resource
import time
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.random import Generator
from PIL import Image

from glic_pyg.codec.container import Stream, read_container, write_container
from glic_pyg.codec.errors import GlicError
from glic_pyg.codec.header import FIXED_RATE, take_header
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.varint import take_varint
from glic_pyg.models.weights import weights_hash
from tests.codec.test_metadata import exif_block
from tests.tiny_backbone import TinyBackbone
from tests.tiny_cosines import tiny_cosines

Mutation = Callable[[bytes, Generator, list[bytes]], bytes]

COUNT = int(os.environ.get("GLIC_FUZZ_COUNT", "1500"))
SECONDS_A_FILE = 5.0
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
    """No file may make the process grow by more than a few pictures of the largest size."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000, f"grew by {grown} KiB"


def flip_bits(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    out = bytearray(data)
    for place in rng.integers(0, len(out), rng.integers(1, 9)):
        out[place] ^= 1 << rng.integers(0, 8)
    return bytes(out)


def truncate(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    return data[: rng.integers(0, len(data))]


def splice(data: bytes, rng: Generator, seeds: list[bytes]) -> bytes:
    other = seeds[rng.integers(0, len(seeds))]
    return data[: rng.integers(0, len(data))] + other[rng.integers(0, len(other)) :]


def random_after_magic(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    return data[: rng.integers(0, 8)] + rng.bytes(int(rng.integers(0, 200)))


def damage_a_stream(data: bytes, rng: Generator, seeds: list[bytes]) -> bytes:
    """Valid checksums over nonsense: one stream mutated, cut or replaced."""
    container = read_container(data, max_pixels=None)
    streams = dict(container.streams)
    kind = list(streams)[rng.integers(0, len(streams))]
    payload = streams[kind] or b"\0"
    choice = rng.integers(0, 4)
    if choice == 0:
        payload = flip_bits(payload, rng, seeds)
    elif choice == 1:
        payload = truncate(payload, rng, seeds)
    elif choice == 2:
        payload = rng.bytes(int(rng.integers(0, 400)))
    else:
        payload = payload[:1] + rng.bytes(int(rng.integers(0, 400)))
    return write_container(container.header, {**streams, kind: payload})


def damage_the_ties(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """A list of near-ties that no encoder wrote, with valid checksums."""
    container = read_container(data, max_pixels=None)
    count = int(rng.integers(1, 20))
    ties = bytes([count]) + bytes(rng.integers(0, 256, int(rng.integers(count, 4 * count)), dtype=np.uint8))
    latents = ties + container.streams[Stream.LATENTS][1:]
    return write_container(container.header, {**container.streams, Stream.LATENTS: latents})


def damage_the_header(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """Bytes of the header mutated, its checksum made right again."""
    size = head_size(data)
    head = bytearray(data[:size])
    for place in rng.integers(5, size, rng.integers(1, 4)):
        head[place] = rng.integers(0, 256)
    return bytes(head) + zlib.crc32(head).to_bytes(4, "little") + data[size + 4 :]


def change_the_size(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """Another width and height over the same streams, with the right checksums."""
    container = read_container(data, max_pixels=None)
    sides = [int(side) for side in np.exp(rng.uniform(0, 20, 2))]
    if rng.integers(0, 2):
        sides = [int(side) for side in rng.integers(1, 256, 2)]
    header = type(container.header)(**{**vars(container.header), "width": sides[0], "height": sides[1]})
    return write_container(header, container.streams)


def change_the_quality(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """Any two bytes where a quality stands or would stand, and any version, with the right checksum."""
    size, (_, after) = head_size(data), take_header(data, 5, FIXED_RATE)
    head = bytearray(data[:size])
    if rng.integers(0, 2):
        head[4] = rng.integers(0, 4)
    head[after : after + 2] = rng.bytes(2)
    return bytes(head) + zlib.crc32(head).to_bytes(4, "little") + data[size + 4 :]


def head_size(data: bytes) -> int:
    """Bytes before the header's checksum."""
    _, at = take_header(data, 5, data[4])
    count, at = data[at], at + 1
    for _ in range(count):
        _, at = take_varint(data, at + 1)
        at += 4
    return at


MUTATIONS: list[Mutation] = [
    flip_bits, truncate, splice, random_after_magic, damage_a_stream, damage_the_ties, damage_the_header,
    change_the_size, change_the_quality,
]  # fmt: skip


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_mutated_files(small_codec: ImageCodec, seeds: list[bytes], mutate: Mutation) -> None:
    _decode_mutated(small_codec, seeds, mutate, -(-COUNT // len(MUTATIONS)))


@pytest.mark.parametrize("mutate", [flip_bits, splice, damage_the_header, change_the_quality])
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
        try:
            decoded = codec.decode(data)
        except GlicError as error:
            assert str(error).endswith("."), f"not a sentence: {error}"
        else:
            header = decoded.container.header
            assert decoded.image.size == (header.width, header.height)
            assert header.width * header.height <= MAX_PIXELS
        assert time.process_time() - started < SECONDS_A_FILE


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_mutations_do_change_files(seeds: list[bytes], mutate: Mutation) -> None:
    """A fuzz test that mutates nothing would pass."""
    rng = np.random.default_rng(1)
    changed = [mutate(seeds[i % len(seeds)], rng, seeds) != seeds[i % len(seeds)] for i in range(30)]
    assert sum(changed) >= 25
