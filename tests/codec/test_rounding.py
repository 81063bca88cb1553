"""The list of near-ties: kept exactly, read in time proportional to its bytes, refused where hostile."""

from __future__ import annotations

import time

import numpy as np
import pytest

from glic_pyg.codec.container import Stream, read_container, write_container
from glic_pyg.codec.header import pack_varint
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rounding import TieKind, Ties, pack_ties, take_ties
from glic_pyg.errors import CorruptFile, GlicFileError, TruncatedFile


def ties(*indices: int, odd: tuple[int, ...]) -> Ties:
    return Ties(np.array(indices, np.int64), np.array(odd, np.int64))


def raw(*numbers: int) -> bytes:
    return b"".join(map(pack_varint, numbers))


def test_the_bytes_of_a_list() -> None:
    levels, values = ties(3, odd=(1,)), ties(3, 70000, odd=(0, 1))
    packed = pack_ties([(TieKind.LEVEL, levels), (TieKind.LATTICE, values)])
    assert packed == raw(3, 3 << 2, 0 << 2 | 3, 69997 << 2 | 1)
    taken, at = take_ties(packed + b"rest", 0, 70001)
    assert at == len(packed)
    for kind, wanted in ((TieKind.LEVEL, levels), (TieKind.LATTICE, values)):
        assert taken[kind].indices.tolist() == wanted.indices.tolist()
        assert taken[kind].odd.tolist() == wanted.odd.tolist()


@pytest.mark.parametrize("start", [0, 5])
def test_random_lists_there_and_back(start: int) -> None:
    rng = np.random.default_rng(start)
    for _ in range(50):
        given = {}
        for kind in TieKind:
            indices = np.unique(rng.integers(0, int(np.exp(rng.uniform(1, 40))), rng.integers(0, 30)))
            given[kind] = Ties(indices, rng.integers(0, 2, len(indices)))
        packed = bytes(start) + pack_ties([*given.items()])
        taken, at = take_ties(packed, start, 1 << 60)
        assert at == len(packed)
        for kind in TieKind:
            assert (taken[kind].indices == given[kind].indices).all()
            assert (taken[kind].odd == given[kind].odd).all()


def test_those_of_a_part() -> None:
    part = ties(2, 5, 6, 9, odd=(0, 1, 0, 1)).within(5, 4)
    assert part.indices.tolist() == [0, 1] and part.odd.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("data", "values", "error", "sentence"),
    [
        (raw(1), 9, CorruptFile, "claims 1 near-ties, with 0 bytes left"),
        (raw(1 << 40) + bytes(99), 9, CorruptFile, "claims 1099511627776 near-ties"),
        (raw(5) + bytes(5), 2, CorruptFile, "claims 5 near-ties.*at most 4 roundings"),
        (raw(2, 1 << 2, 1 << 2 | 1, 0)[:2] + b"\x84\x84", 9, TruncatedFile, "inside a list"),
        (raw(2, 0, 0), 9, CorruptFile, "not in order"),  # one rounding twice
        (raw(2, 1 << 2 | 2, 0), 9, CorruptFile, "not in order"),  # its kinds in the wrong order
        (raw(1, 9 << 2), 9, CorruptFile, "outside the image"),
        (raw(2, 5 << 2, 4 << 2), 9, CorruptFile, "outside the image"),
        (raw(2, 5 << 2, (1 << 63) - 4), 9, CorruptFile, "outside the image"),
        (raw(6, *[(1 << 62) - 4] * 6), 1 << 70, CorruptFile, "outside the image"),
        (raw(1) + b"\x84\x00", 9, CorruptFile, "padded with zeros"),
        (raw(1) + b"\xff" * 9 + b"\x01", 9, CorruptFile, "longer than any field"),
    ],
)
def test_lists_that_no_encoder_writes(
    data: bytes, values: int, error: type[GlicFileError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        take_ties(data, 0, values)


@pytest.fixture(scope="module")
def small(codec: ImageCodec, pixels: np.ndarray) -> bytes:
    return codec.encode(pixels[:16, :16]).data


def with_ties(data: bytes, listed: bytes) -> bytes:
    """The file with another list; it had an empty one."""
    container = read_container(data)
    latents = container.streams[Stream.LATENTS]
    assert latents[0] == 0
    return write_container(container.header, {Stream.LATENTS: listed + latents[1:]})


def test_a_million_near_ties_of_a_tiny_image_cost_nothing(codec: ImageCodec, small: bytes) -> None:
    data = with_ties(small, raw(1_000_000) + bytes(1_000_000))
    started = time.process_time()
    with pytest.raises(CorruptFile, match="claims 1000000 near-ties"):
        codec.decode(data)
    assert time.process_time() - started < 0.5


def test_many_legal_ties_are_quick(codec: ImageCodec, pixels: np.ndarray) -> None:
    """Every rounding of an image may be one."""
    data = codec.encode(np.tile(pixels, (8, 6, 1))).data
    container = read_container(data)
    count = 8 * (-(-720 // 64) * 4) * (-(-780 // 64) * 4)
    listed = raw(2 * count, 0, 2, *([4, 2] * (count - 1)))
    started = time.process_time()
    with pytest.raises(GlicFileError, match=r"checksum differs|cannot be decoded"):
        codec.decode(
            write_container(
                container.header, {Stream.LATENTS: listed + container.streams[Stream.LATENTS][1:]}
            )
        )
    assert time.process_time() - started < 2


def test_a_tie_behind_the_last_latent_is_found(codec: ImageCodec, small: bytes) -> None:
    """The list may have indices for corrected latents, which this model has not."""
    with pytest.raises(CorruptFile, match="outside the image"):
        codec.decode(with_ties(small, raw(1, 8 * 4 * 4 << 2)))
