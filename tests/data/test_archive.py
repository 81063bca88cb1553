"""Archives that nobody has vouched for: whole or refused, and never larger than allowed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from glic_pyg.data.archive import unpack
from glic_pyg.errors import DataError

MEMBERS = {"valid/a.png": b"A" * 700, "valid/b.png": b"B" * 512, "more/c.png": b"", "read.me": b"-" * 3000}


def tar(members: dict[str, bytes] = MEMBERS, kind: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.type = kind
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zipped(members: dict[str, bytes] = MEMBERS) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """A block of 512 bytes with a right checksum over any size field of 12 bytes."""
    block = bytearray(512)
    block[: len(name)], block[100:107], block[124:136] = name, b"0000644", size
    block[148:156], block[156:157], block[257:265] = b" " * 8, kind, b"ustar  \0"
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


TAR = tar()


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    """Unpacks bytes and gives what came out of them."""

    def make(data: bytes, pattern: str = "*.png", max_bytes: int = 1 << 20) -> dict[str, bytes]:
        archive, folder = tmp_path / "set", tmp_path / "out"
        archive.write_bytes(data)
        folder.mkdir(exist_ok=True)
        return {path.name: path.read_bytes() for path in unpack(archive, pattern, folder, max_bytes, "set")}

    return make


PACKED = {
    "zip": zipped(),
    "tar": tar(),
    "gz": gzip.compress(tar()),
    "bz2": bz2.compress(tar()),
    "xz": lzma.compress(tar()),
}


@pytest.mark.parametrize("kind", PACKED)
def test_all_kinds(unpacked: Callable, kind: str) -> None:
    wanted = {"a.png": MEMBERS["valid/a.png"], "b.png": MEMBERS["valid/b.png"]}
    assert unpacked(PACKED[kind], "valid/*") == wanted
    with pytest.raises(DataError, match=r"holds nothing like \*\.jpg"):
        unpacked(PACKED[kind], "*.jpg")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_the_checksum_at_the_end_is_read(unpacked: Callable, kind: str) -> None:
    """The tar file ends long before, and tarfile stops there."""
    data = bytearray(PACKED[kind])
    data[-6 if kind == "gz" else -4 if kind == "bz2" else -20] ^= 1
    with pytest.raises(DataError, match="set is damaged"):
        unpacked(bytes(data))


@pytest.mark.parametrize("kind", PACKED)
def test_every_cut_is_noticed(unpacked: Callable, tmp_path: Path, kind: str) -> None:
    """But that of the zeros after the last member of a plain tar file, which may be missing."""
    data = PACKED[kind]
    end = data.rindex(b"-") if kind == "tar" else len(data)
    for size in range(0, end, 97 if kind == "tar" else 7):
        with pytest.raises(DataError, match=r"is damaged|neither a zip nor a tar"):
            unpacked(data[:size])
        for path in (tmp_path / "out").iterdir():
            path.unlink()


def test_a_damaged_header_is_not_the_end(unpacked: Callable) -> None:
    data = bytearray(tar())
    data[data.index(b"valid/b.png")] ^= 1
    with pytest.raises(DataError, match="a header in it is invalid"):
        unpacked(bytes(data))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zipfile.ZipFile])
def test_bombs(unpacked: Callable, tmp_path: Path, pack: Callable) -> None:
    members = {f"{n}.png": bytes(1 << 20) for n in range(5)}
    data = zipped(members) if pack is zipfile.ZipFile else pack(tar(members))
    assert len(data) < 30_000
    with pytest.raises(DataError, match="unpacks to more than 3000000 bytes; allow more with --max-bytes"):
        unpacked(data, max_bytes=3_000_000)
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 3_000_000
    with pytest.raises(DataError, match=r"unpacks to more|holds nothing"):  # what is skipped costs time too
        unpacked(data, "*.jpg", max_bytes=3_000_000)


def test_a_size_that_is_a_lie_in_a_zip(unpacked: Callable) -> None:
    data = zipped({"a.png": bytes(1 << 20)})
    short = data.replace(struct.pack("<I", 1 << 20), struct.pack("<I", 10))
    with pytest.raises(DataError, match="is damaged"):
        unpacked(short, max_bytes=1000)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (header(b"x", b"77777777777\0", b"L") + bytes(1024), r"a header in it claims \d+ bytes"),
        (header(b"x", b"77777777777\0", b"x") + bytes(1024), r"a header in it claims \d+ bytes"),
        (header(b"a.png", b"\xff" * 12) + bytes(1024), "damaged"),
        (header(b"a.png", b"\xff" * 11 + b"\x00") + bytes(1024), "damaged"),
        (header(b"a.png", b"\x80" + b"\x00" * 3 + b"\x40" + b"\x00" * 7) + bytes(1024), "unpacks to more"),
        (header(b"x", b"00000000020\0", b"x") + b"17 size=99999999\n".ljust(512, b"\0") + TAR, "unpacks to"),
    ],
)
def test_hostile_headers(unpacked: Callable, data: bytes, sentence: str) -> None:
    started = time.process_time()
    with pytest.raises(DataError, match=sentence):
        unpacked(data)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_stay_inside(unpacked: Callable, kind: bytes) -> None:
    with pytest.raises(DataError, match="holds nothing"):
        unpacked(tar({"a.png": b""}, kind, linkname="/etc/passwd"))


def test_two_of_one_name(unpacked: Callable) -> None:
    with pytest.raises(DataError, match=r"two files called a\.png"):
        unpacked(tar({"x/a.png": b"1", "y/a.png": b"2"}))


def test_a_full_disk_is_not_damage(unpacked: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("glic_pyg.data.archive.shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        unpacked(tar())
