"""Ways to damage a file: (data, generator, good files to take parts of) to other data."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from glic_pyg.codec.container import Stream, read_container, write_container
from glic_pyg.codec.header import FIXED_RATE, take_header
from glic_pyg.codec.varint import take_varint

Mutation = Callable[[bytes, Generator, list[bytes]], bytes]


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
