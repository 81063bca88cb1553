"""The setting of a classical codec that spends a given number of bytes."""

from __future__ import annotations

from typing import NamedTuple

from glic_pyg.evaluation.classical.contract import ClassicalCodec, Pixels

__all__ = ["ClassicalFile", "around", "at_least", "nearest"]


class ClassicalFile(NamedTuple):
    """A file and the setting that made it."""

    data: bytes
    setting: int


def at_least(codec: ClassicalCodec, pixels: Pixels, size: int) -> ClassicalFile:
    """The first setting that spends at least ``size`` bytes; the last one if none does.

    Settings are tried one after the other, for quick codecs: the size is not always monotone.
    """
    for setting in codec.settings:
        data = codec.encode(pixels, setting)
        if len(data) >= size:
            break
    return ClassicalFile(data, setting)


def nearest(codec: ClassicalCodec, pixels: Pixels, size: int) -> ClassicalFile:
    """The file whose size is nearest to ``size`` bytes, of those :func:`around` it."""
    return min(around(codec, pixels, size), key=lambda file: abs(len(file.data) - size))


def around(codec: ClassicalCodec, pixels: Pixels, size: int) -> list[ClassicalFile]:
    """The last setting whose file fits into ``size`` bytes, and the next one; one file at the ends.

    Found by bisection, which trusts the size to grow with the settings.
    """
    files: dict[int, bytes] = {}

    def of(number: int) -> bytes:
        if number not in files:
            files[number] = codec.encode(pixels, codec.settings[number])
        return files[number]

    fits, too_large = -1, len(codec.settings)
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        fits, too_large = (middle, too_large) if len(of(middle)) <= size else (fits, middle)
    there = [number for number in (fits, too_large) if 0 <= number < len(codec.settings)]
    return [ClassicalFile(of(number), codec.settings[number]) for number in there]
