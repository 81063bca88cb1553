import io
import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from glic_pyg.codec.container import MAGIC, Stream, read_container, read_glic, write_container
from glic_pyg.codec.header import FIELDS, HIGHEST_QUALITY, SOURCE_MODES, Header, pack_header, pack_varint
from glic_pyg.errors import CorruptFile, ImageTooLarge, NotAGlicFile, TruncatedFile, UnsupportedVersion
from glic_pyg.models.gain import BEST_QUALITY

HEADER = Header("glic_xs-0.0130", bytes(range(8)), 768, 512, False, True, "RGBA", 0x12345678, version=1)
STREAMS = {Stream.LATENTS: b"latents!", Stream.ALPHA: b"\x00\xff", Stream.ICC: b"profile"}

GOLDEN = bytes.fromhex(
    "474c4943" "01"  # magic, version
    "0e" "676c69635f78732d302e30313330"  # model
    "0001020304050607"  # weights hash
    "8006" "8004"  # width, height
    "00" "01" "01"  # grey, alpha, source mode
    "78563412"  # checksum of the latents
    "03"  # streams
    "01" "08" "f1e0bcce" "02" "02" "72fddb6c" "04" "07" "0faa5781"  # kind, length, checksum
    "966f076a"  # checksum of everything above
) + b"latents!" + b"\x00\xff" + b"profile"  # fmt: skip


def resealed(data: bytes, head_size: int) -> bytes:
    """The same bytes with a right header checksum."""
    return data[:head_size] + zlib.crc32(data[:head_size]).to_bytes(4, "little") + data[head_size + 4 :]


def head_size() -> int:
    return len(GOLDEN) - len(b"".join(STREAMS.values())) - 4


def test_golden_bytes() -> None:
    assert write_container(HEADER, STREAMS) == GOLDEN
    container = read_container(GOLDEN)
    assert container.header == HEADER
    assert container.streams == STREAMS
    assert container.size == len(GOLDEN)


@pytest.mark.parametrize(
    ("version", "quality", "written", "checksum"),
    [(2, 37.25, "8d0e", "b8e33593"), (3, 37.25, "8d0e", "6ff0a08e"), (3, None, "ffff", "85abfd83")],
)
def test_golden_bytes_with_a_quality(
    version: int, quality: float | None, written: str, checksum: str
) -> None:
    """Versions 2 and 3: hundredths after the checksum of the latents; all else as in version 1."""
    header = replace(HEADER, quality=quality, version=version)
    data = write_container(header, STREAMS)
    split = GOLDEN.index(b"\x78\x56\x34\x12") + 4
    head = MAGIC + bytes([version]) + GOLDEN[5:split] + bytes.fromhex(written) + GOLDEN[split : head_size()]
    assert data == head + bytes.fromhex(checksum) + GOLDEN[head_size() + 4 :]
    assert read_container(data).header == header


def test_version_2_always_names_a_quality() -> None:
    data = write_container(replace(HEADER, version=2), STREAMS)
    with pytest.raises(CorruptFile, match="names no quality"):
        read_container(data)


@pytest.mark.parametrize("quality", [0.0, 0.01, 99.99, 100.0])
def test_qualities_there_and_back(quality: float) -> None:
    data = write_container(replace(HEADER, quality=quality, version=3), STREAMS)
    assert read_container(data).header.quality == quality


@pytest.mark.parametrize("quality", [-0.01, 100.01, 33.333, float("nan")])
def test_qualities_that_no_file_holds(quality: float) -> None:
    with pytest.raises(ValueError, match="0 to 100 in hundredths"):
        write_container(replace(HEADER, quality=quality, version=3), STREAMS)


@pytest.mark.parametrize("steps", [10001, 0xFFFE])
def test_a_hostile_quality(steps: int) -> None:
    data = write_container(replace(HEADER, quality=100.0, version=3), STREAMS)
    hostile = data.replace((10000).to_bytes(2, "little"), steps.to_bytes(2, "little"), 1)
    with pytest.raises(CorruptFile, match=f"claims quality {steps / 100}"):
        read_container(resealed(hostile, head_size() + 2))


def test_the_highest_quality_is_the_models() -> None:
    assert HIGHEST_QUALITY == BEST_QUALITY


@pytest.mark.parametrize("quality", [None, 50.0])
def test_a_plain_image_costs_few_bytes(quality: float | None) -> None:
    header = Header("glic_xs-0.0130", bytes(8), 768, 512, False, False, "RGB", 0, quality)
    assert len(write_container(header, {Stream.LATENTS: bytes(9000)})) - 9000 <= 54


@pytest.mark.parametrize("size", range(len(GOLDEN)))
def test_every_truncation_is_said(size: int) -> None:
    with pytest.raises((TruncatedFile, NotAGlicFile)):
        read_container(GOLDEN[:size])


@pytest.mark.parametrize("place", range(len(GOLDEN)))
def test_every_damaged_byte_is_found(place: int) -> None:
    damaged = bytearray(GOLDEN)
    damaged[place] ^= 0x55
    with pytest.raises((CorruptFile, TruncatedFile, NotAGlicFile, UnsupportedVersion, ImageTooLarge)):
        read_container(bytes(damaged))


def test_foreign_files() -> None:
    for data, what in (
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (bytes(100), "zeros"),
        (b"glic", "does not begin with 'GLIC'"),
    ):
        with pytest.raises(NotAGlicFile, match=what):
            read_container(data)


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(TruncatedFile, match="The file is empty"):
        read_container(b"")


def test_other_versions() -> None:
    with pytest.raises(UnsupportedVersion, match=r"version 4 .* up to 3; update glic-pyg"):
        read_container(MAGIC + b"\x04" + GOLDEN[5:])
    with pytest.raises(CorruptFile, match="no format version 0"):
        read_container(MAGIC + b"\x00" + GOLDEN[5:])


def test_trailing_bytes() -> None:
    with pytest.raises(CorruptFile, match=f"ends at byte {len(GOLDEN)}"):
        read_container(GOLDEN + b"!")


def test_huge_claims_cost_nothing() -> None:
    header = Header("tiny", bytes(8), 10**6, 10**6, False, False, "RGB", 0)
    data = write_container(header, {Stream.LATENTS: b""})
    with pytest.raises(ImageTooLarge, match="1000000x1000000"):
        read_container(data)
    assert read_container(data, max_pixels=None).header == header


@pytest.mark.parametrize("kind", [*Stream, 0xC4])
def test_a_stream_longer_than_the_image_can_need_is_refused(kind: int) -> None:
    """The header of 16x16 pixels, with a right checksum, claims 3 GB."""
    header = replace(HEADER, width=16, height=16)
    head = MAGIC + bytes([header.version]) + pack_header(header)
    head += bytes([1, kind]) + pack_varint(3 << 30) + bytes(4)
    with pytest.raises(CorruptFile, match=r"claims 3221225472 bytes for its .* 16x16 pixels can need"):
        read_container(head + zlib.crc32(head).to_bytes(4, "little"))


class Watched(io.BytesIO):
    """Counts what is read, as if from a pipe."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None and size >= 0, "all of it was asked for"
        data = super().read(size)
        self.taken += len(data)
        return data


def test_no_more_of_a_file_is_read_than_its_header_announces() -> None:
    stream = Watched(GOLDEN + bytes(10_000_000))
    with pytest.raises(CorruptFile, match="goes on after its last stream"):
        read_container(read_glic(stream))
    assert stream.taken <= 1024
    large = write_container(replace(HEADER, alpha=False), {Stream.LATENTS: bytes(3_000_000)})
    assert read_glic(Watched(large)) == large
    assert read_glic(Watched(large[:-1])) == large[:-1]


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"\x1aE\xdf\xa3", NotAGlicFile),
        (b"GLIC\x07", UnsupportedVersion),
        (GOLDEN[:60] + b"\0" + GOLDEN[61:], CorruptFile),
        (write_container(replace(HEADER, width=10**6, height=10**6), STREAMS), ImageTooLarge),
    ],
)
def test_foreign_files_are_not_read(head: bytes, error: type[Exception]) -> None:
    stream = Watched(head + bytes(10_000_000))
    with pytest.raises(error):
        read_glic(stream)
    assert stream.taken <= 1024


def test_the_longest_header_is_read_at_once() -> None:
    header = Header("n" * 100, bytes(8), 2**32 - 1, 2**32 - 1, True, True, "I", 2**32 - 1, 100.0)
    head = MAGIC + bytes([header.version]) + pack_header(header)
    kinds = [1, 2, *range(0xE2, 0x100)]
    head += bytes([len(kinds)]) + b"".join(bytes([kind]) + pack_varint(1 << 24) + bytes(4) for kind in kinds)
    whole = head + zlib.crc32(head).to_bytes(4, "little")
    with pytest.raises(TruncatedFile, match=f"has {len(whole)} of its"):
        read_container(read_glic(io.BytesIO(whole), max_pixels=None), max_pixels=None)


def test_unknown_streams_are_refused_or_ignored_by_their_kind() -> None:
    start = GOLDEN.index(b"\x04\x07")
    critical, ignorable = bytearray(GOLDEN), bytearray(GOLDEN)
    critical[start], ignorable[start] = 0x44, 0xC4
    with pytest.raises(UnsupportedVersion, match="kind 68"):
        read_container(resealed(bytes(critical), head_size()))
    container = read_container(resealed(bytes(ignorable), head_size()))
    assert container.ignored == (0xC4,)
    assert Stream.ICC not in container.streams


def test_streams_twice_or_missing() -> None:
    start = GOLDEN.index(b"\x04\x07")
    twice = bytearray(GOLDEN)
    twice[start] = Stream.ALPHA
    with pytest.raises(CorruptFile, match="twice"):
        read_container(resealed(bytes(twice), head_size()))
    with pytest.raises(CorruptFile, match="missing"):
        read_container(write_container(HEADER, {Stream.LATENTS: b""}))
    with pytest.raises(CorruptFile, match="missing"):
        read_container(write_container(HEADER, {Stream.ALPHA: b""}))


def test_documentation_follows_the_tables() -> None:
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert rows == [(field.name, field.layout, field.meaning) for field in FIELDS]
    assert ", ".join(f"{i} {mode}" for i, mode in enumerate(SOURCE_MODES)) in " ".join(text.split())
    for kind in Stream:
        assert re.search(rf"^\| {kind.value} \| {kind.name.lower()} \|", text, re.MULTILINE)
