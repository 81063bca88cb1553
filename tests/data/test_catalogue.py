"""The pictures of a data set: the same however they are packed, unreadable ones named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.data.catalogue import Catalogue, build_catalogue
from glic_pyg.data.image_file import DataError, UnreadableImage
from tests.data.conftest import SIZES


def pixels_of(catalogue: Catalogue) -> list[bytes]:
    return [file.decode().tobytes() for file in catalogue.files]


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_packing_changes_neither_pictures_nor_order(pictures: Path, pack: Callable, shards: int) -> None:
    plain, packed = build_catalogue(pictures), build_catalogue(pack("shards", shards))
    assert len(plain) == len(SIZES)
    assert pixels_of(packed) == pixels_of(plain)
    assert np.array_equal(packed.sizes, plain.sizes)


def test_sizes_are_those_of_the_decoded_pictures(pictures: Path) -> None:
    catalogue = build_catalogue(pictures)
    assert [file.decode().shape[:2] for file in catalogue.files] == list(map(tuple, catalogue.sizes))
    assert sorted(tuple(size[::-1]) for size in catalogue.sizes.tolist()) == sorted(SIZES)


def test_unreadable_pictures_are_named_counted_and_skipped(pictures: Path, pack: Callable) -> None:
    junk = [("note.txt", b"no picture"), ("bad.jpg", b"\xff\xd8nonsense"), ("empty.png", b"")]
    catalogue = build_catalogue(pack("shards", 2, junk))
    assert len(catalogue) == len(SIZES)
    assert len(catalogue.unreadable) == 4
    summary = catalogue.summary(["late.jpg: cut short"])
    assert summary.startswith("4 pictures, 5 unreadable and left out: ")
    assert "part-001.tar!bad.jpg: not a picture" in summary and "late.jpg: cut short" in summary
    assert "\n" not in summary and "note.txt" not in summary


def test_a_long_list_of_unreadable_pictures_is_cut(pack: Callable) -> None:
    junk = [(f"{number}.jpg", b"x") for number in range(15)]
    summary = build_catalogue(pack("shards", 1, junk)).summary()
    assert "15 unreadable" in summary and summary.endswith("; and 5 more")


def test_a_shard_that_is_cut_short_gives_what_is_whole(pack: Callable) -> None:
    shard = pack("shards", 1) / "part-000.tar"
    whole = build_catalogue(shard)
    last = max(whole.files, key=lambda file: file.offset)
    shard.write_bytes(shard.read_bytes()[: last.offset + last.size // 2])
    catalogue = build_catalogue(shard)
    assert len(catalogue) == len(whole) - 1
    assert "part-000.tar: not a whole, uncompressed tar file" in catalogue.summary()


def test_damage_behind_the_header_shows_when_decoding(pictures: Path) -> None:
    path = pictures / "0.png"
    path.write_bytes(path.read_bytes()[:-200])
    catalogue = build_catalogue(pictures)
    assert len(catalogue) == len(SIZES)
    with pytest.raises(UnreadableImage, match=r"0\.png: "):
        catalogue.files[0].decode()


def test_a_changed_file_is_noticed(pictures: Path) -> None:
    catalogue = build_catalogue(pictures)
    (pictures / "0.png").unlink()
    with pytest.raises(UnreadableImage, match=r"0\.png: No such file"):
        catalogue.files[0].decode()


def test_transparent_grey_and_palette_become_rgb(tmp_path: Path) -> None:
    Image.new("LA", (20, 10), (128, 10)).save(tmp_path / "grey.png")
    Image.new("P", (20, 10)).save(tmp_path / "palette.png")
    Image.new("CMYK", (20, 10)).save(tmp_path / "print.jpg")
    assert [file.decode().shape for file in build_catalogue(tmp_path).files] == 3 * [(10, 20, 3)]


def test_sixteen_bits_are_not_clipped_silently(pictures: Path) -> None:
    Image.fromarray(np.full((50, 50), 40_000, np.uint16)).save(pictures / "deep.png")
    assert "deep.png: more than 8 bits a sample" in build_catalogue(pictures).summary()


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    (tmp_path / "bad.tar").write_bytes(b"x" * 2000)
    with pytest.raises(DataError, match="holds no readable picture; the first of 2: ") as caught:
        build_catalogue(tmp_path)
    assert "\n" not in str(caught.value)


def test_selecting(pictures: Path) -> None:
    catalogue = build_catalogue(pictures)
    large = catalogue.select(catalogue.at_least(40))
    assert len(large) == 3 and large.sizes.min() >= 40
    assert {file.path.name for file in large.files} == {"0.png", "3.jpg", "4.jpg"}
