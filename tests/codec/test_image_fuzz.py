"""Mutated images and odd metadata: an image or a typed error, a file or a typed error, in bounded time.

``GLIC_FUZZ_IMAGES`` sets how many images are read and how many files are written.
"""

from __future__ import annotations

import io
import os
import time

import numpy as np
import pytest
from numpy.random import Generator

from glic_pyg.codec.alpha import pack_alpha, take_alpha
from glic_pyg.codec.image import ImageData
from glic_pyg.codec.image_file import OUTPUT_FORMATS, read_image, read_size, write_image
from glic_pyg.codec.metadata import Metadata, deflate, inflate, reset_orientation
from glic_pyg.errors import GlicError
from tests.codec.file_mutations import flip_bits, truncate
from tests.codec.image_mutations import MUTATIONS, Mutation, image_files
from tests.codec.test_image import profile_for
from tests.codec.test_metadata import exif_block

pytestmark = pytest.mark.filterwarnings("ignore")  # what Pillow warns of is another test's
COUNT = int(os.environ.get("GLIC_FUZZ_IMAGES", "1500"))
SECONDS_A_FILE = 5.0
MAX_PIXELS = 1 << 16
LOSSLESS = ("png", "tif", "bmp", "ppm", "pgm", "webp")


@pytest.fixture(scope="module")
def seeds() -> dict[str, bytes]:
    return image_files()


def sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and len(text) < 700


def check_reading(data: bytes, rng: Generator) -> bool:
    """Read a file in every way in which the package does; whether it is an image."""
    started = time.process_time()
    size = None
    try:
        size = read_size(io.BytesIO(data), max_pixels=MAX_PIXELS)
    except GlicError as error:
        assert sentence(str(error)), f"not a sentence: {error}"
    try:
        image = read_image(data, reduce_16bit=bool(rng.integers(0, 2)), max_pixels=MAX_PIXELS)
    except GlicError as error:
        assert sentence(str(error)), f"not a sentence: {error}"
        return False
    finally:
        assert time.process_time() - started < SECONDS_A_FILE
    assert image.colour.dtype == np.uint8 and image.size[0] * image.size[1] <= MAX_PIXELS
    assert size is None or size == image.size
    assert all(map(sentence, image.notes)) and set(image.pixel_notes) <= set(image.notes)
    assert image.to_pillow().size == image.size
    for block in (image.metadata.exif, image.metadata.icc, image.metadata.xmp):
        assert block is None or inflate(deflate(block)) == block
    if image.alpha is not None:
        assert (take_alpha(pack_alpha(image.alpha), *image.colour.shape[:2]) == image.alpha).all()
    check_writing(image, list(OUTPUT_FORMATS)[rng.integers(0, len(OUTPUT_FORMATS))])
    return True


def check_writing(image: ImageData, extension: str) -> bool:
    """Write an image as one kind of file and read it back; whether that kind can hold it."""
    try:
        data, notes = write_image(image, extension)
    except GlicError as error:
        assert sentence(str(error)), f"not a sentence: {error}"
        return False
    assert all(map(sentence, notes))
    back = read_image(data)
    if extension in LOSSLESS:
        grey = image.grey and not back.grey
        assert (back.colour == (np.dstack([image.colour] * 3) if grey else image.colour)).all()
        opaque = 255 if back.alpha is None else back.alpha  # WebP leaves out what is opaque everywhere
        assert image.alpha is None or (image.alpha == opaque).all()
    return True


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_mutated_images(seeds: dict[str, bytes], mutate: Mutation) -> None:
    rng = np.random.default_rng(MUTATIONS.index(mutate))
    files, readable = list(seeds.values()), 0
    for number in range(-(-COUNT // len(MUTATIONS))):
        data = files[number % len(files)]
        for _ in range(rng.integers(1, 3)):
            data = mutate(data, rng, files) or b"x"
        readable += check_reading(data, rng)
    assert readable or mutate is truncate, "a test of nothing but unreadable files says little"


def test_the_seeds_are_many_and_good(seeds: dict[str, bytes]) -> None:
    kinds = {name.split()[0] for name in seeds}
    assert len(seeds) > 100 and {"PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "DDS", "XBM"} <= kinds
    rng = np.random.default_rng(0)
    for name, data in seeds.items():
        kind, mode, what = name.split()
        refused = mode in ("I", "I;16", "F") or what == "animated"
        refused |= kind in ("ICNS", "SPIDER")  # 1024x1024 pixels, and floats
        assert check_reading(data, rng) or refused, name


def odd_metadata(rng: Generator) -> Metadata:
    """Blocks that are whole, damaged, empty, far too large or of random bytes."""

    def one_of(good: bytes) -> bytes | None:
        choice = int(rng.integers(0, 7))
        if choice == 0:
            return None
        if choice == 1:
            return rng.bytes(int(rng.integers(0, 300)))
        if choice == 2:
            return good + rng.bytes(int(rng.integers(60_000, 70_000)))
        if choice == 3:
            return good[: rng.integers(0, len(good))]
        return flip_bits(good, rng, []) if choice < 6 else good

    exif = exif_block(int(rng.integers(1, 9)), "<>"[rng.integers(0, 2)])
    profile = profile_for(("RGB", "GRAY", "Lab", "CMYK")[rng.integers(0, 4)])
    return reset_orientation(Metadata(one_of(exif), one_of(profile), one_of("<x>äö€</x>".encode())))


@pytest.mark.parametrize("extension", OUTPUT_FORMATS)
def test_odd_metadata_are_written_or_left_out(extension: str) -> None:
    rng = np.random.default_rng(list(OUTPUT_FORMATS).index(extension))
    pixels = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4)
    written = 0
    for _ in range(-(-COUNT // (4 * len(OUTPUT_FORMATS)))):
        kind = int(rng.integers(0, 4))
        colour = pixels[..., :3] if kind % 2 else pixels[..., 0]
        image = ImageData(colour, pixels[..., 3] if kind > 1 else None, odd_metadata(rng))
        written += check_writing(image, extension)
    assert written > 0
