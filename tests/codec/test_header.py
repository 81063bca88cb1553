import numpy as np
import pytest

from glic_pyg.codec.header import pack_varint, pack_varints, take_varint, take_varints
from glic_pyg.errors import CorruptFile, TruncatedFile


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 1 << 32, (1 << 63) - 1])
def test_there_and_back(value: int) -> None:
    packed = pack_varint(value)
    assert take_varint(b"?" + packed + b"?", 1) == (value, 1 + len(packed))


def test_small_numbers_take_one_byte() -> None:
    assert pack_varint(127) == b"\x7f"
    assert pack_varint(128) == b"\x80\x01"


def test_refuses_what_no_writer_makes() -> None:
    with pytest.raises(TruncatedFile):
        take_varint(b"\x80\x80", 0)
    with pytest.raises(CorruptFile, match="padded"):
        take_varint(b"\x80\x00", 0)
    with pytest.raises(CorruptFile, match="longer"):
        take_varint(b"\xff" * 12, 0)
    with pytest.raises(ValueError):
        pack_varint(-1)


def test_many_at_once_are_the_same() -> None:
    values = np.random.default_rng(0).integers(0, 1 << 63, 200) >> np.arange(200) % 63
    packed = pack_varints(values)
    assert packed == b"".join(map(pack_varint, values.tolist()))
    taken, at = take_varints(b"?" + packed + b"?", 1, 200)
    assert taken.tolist() == values.tolist() and at == 1 + len(packed)
    assert take_varints(b"", 0, 0)[1] == 0


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x01\x80\x80", TruncatedFile),
        (b"\x01", TruncatedFile),
        (b"\x01\x80\x00", CorruptFile),
        (b"\x01" + b"\xff" * 12, CorruptFile),
        (b"\x01" + b"\xff" * 9 + b"\x01", CorruptFile),
    ],
)
def test_many_at_once_refuse_the_same(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        take_varint(data, 1)
    with pytest.raises(error):
        take_varints(data, 0, 2)
