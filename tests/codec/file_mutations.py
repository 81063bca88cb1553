"""Ways to damage a file: (data, generator, good files to take parts of) to other data."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from glic_pyg.codec.alpha import _LZMA_FILTERS
from glic_pyg.codec.container import MAGIC, Stream, read_container, write_container
from glic_pyg.codec.header import (
    FIELDS,
    FIXED_RATE,
    SOURCE_MODES,
    Header,
    pack_header,
    pack_varint,
    pack_varints,
    take_header,
    take_varint,
)

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
        head[4] = rng.integers(0, 5)
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


def damage_the_directory(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """Kinds, lengths, order and number of the streams, the payloads fitting or not, all checksums right."""
    header, payloads = _parts(data)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(0, len(payloads)))
        kind, length, payload = payloads[place]
        choice = rng.integers(0, 5)
        if choice == 0:
            payloads[place] = (int(rng.choice([0, 1, 2, 3, 4, 5, 6, 127, 128, 255])), length, payload)
        elif choice == 1:
            payloads[place] = (kind, int(np.exp(rng.uniform(0, 43))), payload)
        elif choice == 2:
            payloads.insert(place, payloads[int(rng.integers(0, len(payloads)))])
        elif choice == 3:
            payloads = [payloads[i] for i in rng.permutation(len(payloads))]
        else:
            payloads[place] = (kind, len(payload), payload[: rng.integers(0, len(payload) + 1)])
    count = len(payloads) if rng.integers(0, 4) else int(rng.integers(0, 256))
    return _assembled(header, payloads, count)


def change_a_field(data: bytes, rng: Generator, seeds: list[bytes]) -> bytes:
    """One field of the header exchanged for another that could stand there, over the same streams."""
    container = read_container(data, max_pixels=None)
    name = FIELDS[rng.integers(0, len(FIELDS))].name
    sums = [read_container(seed, max_pixels=None).header.latents_crc for seed in seeds]
    values = {
        "model": ["x", "n" * 100, "é" * 50, "glic_s"],
        "weights_hash": [bytes(8), rng.bytes(8)],
        "width": [1, 15, 16, 17, 255, 256, 257, 2**32 - 1],
        "height": [1, 63, 64, 65, 2**16, 2**32 - 1],
        "grey": [True, False],
        "alpha": [True, False],
        "source_mode": list(SOURCE_MODES),
        "latents_crc": [
            0,
            2**32 - 1,
            int(rng.integers(0, 2**32)),
            *sums,
        ],
        "quality": [None, 0.0, 0.01, 50.0, 100.0],
    }[name]
    others = [value for value in values if value != getattr(container.header, name)]
    value = others[int(rng.integers(0, len(others)))]
    return write_container(replace(container.header, **{name: value}), container.streams)


def exchange_streams(data: bytes, rng: Generator, seeds: list[bytes]) -> bytes:
    """The header of one file over the streams of another, or a stream in place of one of another kind."""
    container, other = (
        read_container(one, max_pixels=None) for one in (data, seeds[rng.integers(0, len(seeds))])
    )
    if rng.integers(0, 2):
        return write_container(container.header, other.streams)
    payloads = [*container.streams.values(), *other.streams.values()]
    kind = list(container.streams)[rng.integers(0, len(container.streams))]
    payload = payloads[int(rng.integers(0, len(payloads)))]
    return write_container(container.header, {**container.streams, kind: payload})


def write_many_ties(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """As many near-ties as there may be, or more: in order, all zero, far apart, or with the wrong count."""
    container = read_container(data, max_pixels=None)
    count = int(np.exp(rng.uniform(0, 10)))
    choice = rng.integers(0, 4)
    if choice == 0:
        codes = bytes(count)
    elif choice == 1:
        codes = b"".join(
            map(pack_varint, (4 * rng.integers(1, 3, count) | rng.integers(0, 4, count)).tolist())
        )
    elif choice == 2:
        codes = pack_varints(rng.integers(0, 1 << 62, count))
    else:
        codes, count = b"\x84\x01" * count, int(rng.integers(0, 1 << 62))
    latents = pack_varint(count) + codes + container.streams[Stream.LATENTS][1:]
    return write_container(container.header, {**container.streams, Stream.LATENTS: latents})


def write_a_bomb(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """A stream that unpacks to far more than it should."""
    container = read_container(data, max_pixels=None)
    size = int(rng.choice([1 << 13, 1 << 16, 1 << 20, (1 << 24) + 1]))
    kind = [Stream.ALPHA, Stream.EXIF, Stream.ICC, Stream.XMP][rng.integers(0, 4)]
    payload = _bomb(size, int(rng.integers(2, 6)) if kind == Stream.ALPHA else 0)
    header = replace(container.header, alpha=container.header.alpha or kind == Stream.ALPHA)
    return write_container(header, {**container.streams, kind: payload})


@lru_cache
def _bomb(size: int, method: int) -> bytes:
    """``size`` zeros as metadata (method 0) or as alpha."""
    if method == 0:
        return deflate_any(bytes(size))
    if method < 4:
        return bytes([method]) + bz2.compress(bytes(size))
    return bytes([method]) + lzma.compress(bytes(size), lzma.FORMAT_RAW, filters=_LZMA_FILTERS)


def deflate_any(payload: bytes) -> bytes:
    """Raw DEFLATE, of any size."""
    coder = zlib.compressobj(9, wbits=-15)
    return coder.compress(payload) + coder.flush()


def write_extreme_latents(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """A latents stream of one byte repeated, or of noise, as long as it likes."""
    container = read_container(data, max_pixels=None)
    size = int(np.exp(rng.uniform(0, 12)))
    body = rng.bytes(size) if rng.integers(0, 2) else bytes([rng.choice([0, 1, 0x7F, 0x80, 0xFF])]) * size
    return write_container(container.header, {**container.streams, Stream.LATENTS: b"\0" + body})


def _parts(data: bytes) -> tuple[Header, list[tuple[int, int, bytes]]]:
    """The header, and (kind, length, payload) of every stream."""
    container = read_container(data, max_pixels=None)
    return container.header, [(int(k), len(payload), payload) for k, payload in container.streams.items()]


def _assembled(header: Header, payloads: list[tuple[int, int, bytes]], count: int) -> bytes:
    """A file with right checksums over whatever it is told to say."""
    head = MAGIC + bytes([header.version]) + pack_header(header) + bytes([count])
    for kind, length, payload in payloads:
        head += bytes([kind]) + pack_varint(length) + zlib.crc32(payload).to_bytes(4, "little")
    return head + zlib.crc32(head).to_bytes(4, "little") + b"".join(payload for *_, payload in payloads)


MUTATIONS: list[Mutation] = [
    flip_bits, truncate, splice, random_after_magic, damage_a_stream, damage_the_ties, damage_the_header,
    change_the_size, change_the_quality, damage_the_directory, change_a_field, exchange_streams,
    write_many_ties, write_a_bomb, write_extreme_latents,
]  # fmt: skip
