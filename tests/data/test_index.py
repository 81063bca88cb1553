"""The images of a data set: the same however they are packed, unreadable ones named."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from glic_pyg.codec.image_file import read_image
from glic_pyg.data.image_file import ImageFile
from glic_pyg.data.index import Catalogue, build_catalogue
from glic_pyg.errors import DataError, UnreadableImage
from tests.codec.test_image import png_with_16_bit_rgb
from tests.codec.test_metadata import exif_block
from tests.data.conftest import SIZES


def pixels_of(catalogue: Catalogue) -> list[bytes]:
    return [file.decode().tobytes() for file in catalogue.files]


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_packing_changes_neither_images_nor_order(images: Path, pack: Callable, shards: int) -> None:
    plain, packed = build_catalogue(images), build_catalogue(pack("shards", shards))
    assert len(plain) == len(SIZES)
    assert pixels_of(packed) == pixels_of(plain)
    assert np.array_equal(packed.sizes, plain.sizes)


def test_sizes_are_those_of_the_decoded_images(images: Path) -> None:
    catalogue = build_catalogue(images)
    assert [file.decode().shape[:2] for file in catalogue.files] == list(map(tuple, catalogue.sizes))
    assert sorted(tuple(size[::-1]) for size in catalogue.sizes.tolist()) == sorted(SIZES)


def test_unreadable_images_are_named_counted_and_skipped(images: Path, pack: Callable) -> None:
    junk = [("note.txt", b"no image"), ("bad.jpg", b"\xff\xd8nonsense"), ("empty.png", b"")]
    catalogue = build_catalogue(pack("shards", 2, junk))
    assert len(catalogue) == len(SIZES)
    assert len(catalogue.unreadable) == 4
    summary = catalogue.summary(["late.jpg: cut short"])
    assert summary.startswith("4 images, 5 unreadable and left out: ")
    assert "part-001.tar!bad.jpg: not an image" in summary and "late.jpg: cut short" in summary
    assert "\n" not in summary and "note.txt" not in summary


def test_a_long_list_of_unreadable_images_is_cut(pack: Callable) -> None:
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


def test_a_shard_with_a_damaged_header_is_not_taken_for_shorter(pack: Callable) -> None:
    shard = pack("shards", 1, [("z.txt", b"no image"), ("y.txt", b"nor this")]) / "part-000.tar"
    content = bytearray(shard.read_bytes())
    content[content.index(b"y.txt")] ^= 1
    shard.write_bytes(content)
    catalogue = build_catalogue(shard)
    assert len(catalogue) == len(SIZES)
    assert "not a whole, uncompressed tar file (a header in it is invalid)" in catalogue.summary()


def test_damage_behind_the_header_shows_when_decoding(images: Path) -> None:
    path = images / "0.png"
    path.write_bytes(path.read_bytes()[:-200])
    catalogue = build_catalogue(images)
    assert len(catalogue) == len(SIZES)
    with pytest.raises(UnreadableImage, match=r"0\.png: "):
        catalogue.files[0].decode()


def test_a_changed_file_is_noticed(images: Path) -> None:
    catalogue = build_catalogue(images)
    (images / "0.png").unlink()
    with pytest.raises(UnreadableImage, match=r"0\.png: No such file"):
        catalogue.files[0].decode()


def test_transparent_grey_and_palette_become_rgb(tmp_path: Path) -> None:
    Image.new("LA", (20, 10), (128, 10)).save(tmp_path / "grey.png")
    Image.new("P", (20, 10)).save(tmp_path / "palette.png")
    Image.new("CMYK", (20, 10)).save(tmp_path / "print.jpg")
    assert [file.decode().shape for file in build_catalogue(tmp_path).files] == 3 * [(10, 20, 3)]


def test_sixteen_bits_are_not_clipped_silently(images: Path) -> None:
    Image.fromarray(np.full((50, 50), 40_000, np.uint16)).save(images / "deep.png")
    (images / "deep-rgb.png").write_bytes(png_with_16_bit_rgb())
    catalogue = build_catalogue(images)
    assert len(catalogue) == len(SIZES)
    for name in ("deep.png", "deep-rgb.png"):
        assert f"{name}: The image has more than 8 bits a sample" in catalogue.summary()
    with pytest.raises(UnreadableImage, match="more than 8 bits"):
        ImageFile(images / "deep-rgb.png").decode()


def test_animations_are_not_taken_for_their_first_frame(images: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(images / "moving.webp", save_all=True, append_images=frames[1:])
    assert "moving.webp: The image has 2 frames" in build_catalogue(images).summary()


def turned_files(folder: Path) -> dict[str, Path]:
    """An image of 30x20 pixels that its orientation makes 20x30, by everything that can say so."""
    image = Image.fromarray(np.arange(1800, dtype=np.uint16).reshape(20, 30, 3).astype(np.uint8))
    exif, xmp = b"Exif\0\0" + exif_block(6), b'<x tiff:Orientation="6"/>'
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    options: dict[str, dict[str, Any]] = {
        "exif.jpg": {"exif": exif, "quality": 100},
        "exif.png": {"exif": exif},
        "xmp.png": {"pnginfo": text},
        "exif.webp": {"exif": exif, "lossless": True},
        "xmp.webp": {"xmp": xmp, "lossless": True},
        "tag.tif": {"tiffinfo": {274: 6}},
        "xmp.tif": {"tiffinfo": {700: xmp}},
    }
    for name, how in options.items():
        image.save(folder / name, **how)
    for name, kind in (("exif.png", b"eXIf"), ("xmp.png", b"iTXt")):
        (folder / f"late-{name}").write_bytes(with_chunk_last((folder / name).read_bytes(), kind))
    return {name: folder / name for name in (*options, "late-exif.png", "late-xmp.png")}


def with_chunk_last(png: bytes, kind: bytes) -> bytes:
    """The same file with a chunk behind the pixels, as some programs write it."""
    start = png.index(kind) - 4
    end = start + 12 + int.from_bytes(png[start : start + 4], "big")
    return png[:start] + png[end:-12] + png[start:end] + png[-12:]


@pytest.mark.parametrize("packed", [False, True])
def test_images_are_upright_and_as_encode_sees_them(tmp_path: Path, packed: bool) -> None:
    files = turned_files(tmp_path)
    if packed:
        with tarfile.open(tmp_path / "all.tar", "w") as tar:
            for name, path in files.items():
                tar.add(path, name)
    catalogue = build_catalogue(tmp_path / "all.tar" if packed else [str(path) for path in files.values()])
    assert catalogue.sizes.tolist() == [[30, 20]] * len(files)
    for file in catalogue.files:
        data = files[Path(file.member or file.path).name].read_bytes()
        assert np.array_equal(file.decode(), read_image(data).colour)
        if not data.startswith(b"\xff\xd8"):  # the lower left corner comes to the upper left
            assert file.decode()[0, 0].tolist() == [(19 * 90 + channel) % 256 for channel in range(3)]


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    (tmp_path / "bad.tar").write_bytes(b"x" * 2000)
    with pytest.raises(DataError, match="holds no readable image; the first of 2: ") as caught:
        build_catalogue(tmp_path)
    assert "\n" not in str(caught.value)


def test_selecting(images: Path) -> None:
    catalogue = build_catalogue(images)
    large = catalogue.select(catalogue.at_least(40))
    assert len(large) == 3 and large.sizes.min() >= 40
    assert {file.path.name for file in large.files} == {"0.png", "3.jpg", "4.jpg"}
