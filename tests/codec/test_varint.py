import pytest

from glic_pyg.codec.errors import CorruptFile, TruncatedFile
from glic_pyg.codec.varint import pack_varint, take_varint


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
