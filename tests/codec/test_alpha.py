import bz2

import numpy as np
import pytest

from glic_pyg.codec.alpha import pack_alpha, take_alpha
from glic_pyg.errors import CorruptFile

rows, columns = np.mgrid[0:60, 0:75]
PLANES = {
    "opaque": np.full((60, 75), 255, np.uint8),
    "one pixel": np.array([[7]], np.uint8),
    "ramp": (columns * 3).astype(np.uint8),
    "mask": np.where((rows - 30) ** 2 + (columns - 40) ** 2 < 400, 255, 0).astype(np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (60, 75)).astype(np.uint8),
}


@pytest.mark.parametrize("name", PLANES)
def test_lossless(name: str) -> None:
    plane = PLANES[name]
    packed = pack_alpha(plane)
    assert (take_alpha(packed, *plane.shape) == plane).all()
    assert len(packed) <= plane.size + 300


def test_a_constant_plane_takes_two_bytes() -> None:
    assert len(pack_alpha(PLANES["opaque"])) == 2


@pytest.mark.parametrize("name", ["ramp", "mask", "noise"])
def test_wrong_sizes_are_refused(name: str) -> None:
    packed = pack_alpha(PLANES[name])
    for shape in ((59, 75), (61, 75), (1, 1)):
        with pytest.raises(CorruptFile):
            take_alpha(packed, *shape)


@pytest.mark.parametrize(
    "data", [b"", b"\x02", b"\x09abc", b"\x02not bzip2", b"\x04not lzma", b"\x00\x01\x02"]
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptFile):
        take_alpha(data, 60, 75)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = b"\x02" + bz2.compress(bytes(50_000_000))
    with pytest.raises(CorruptFile, match="4500 pixels"):
        take_alpha(bomb, 60, 75)
