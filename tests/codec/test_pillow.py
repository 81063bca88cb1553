"""Opening files with Pillow: limits of the call, warnings as notes, sentences about what cannot be read."""

from __future__ import annotations

import io
import struct
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from glic_pyg.codec.image_file import read_image, read_size
from glic_pyg.codec.pillow import bits_per_sample, collect_warnings, open_image, pillow_errors
from glic_pyg.errors import ImageTooLarge, UnsupportedImage
from tests.codec.test_image import saved

IMAGE = Image.radial_gradient("L").resize((60, 50)).convert("RGB")


def cut_exif() -> bytes:
    """EXIF with a tag whose value is said to be far behind the end: Pillow warns of it."""
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x10E, 2, 500, 26) + bytes(4)


def test_the_limit_is_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own for the process is never changed, and commands do not repeat what it warns of before."""
    collect_warnings()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"):
        data = saved(IMAGE, kind)
        assert read_image(data).size == read_size(io.BytesIO(data)) == (60, 50)
        for read in (read_image, read_size):
            with pytest.raises(ImageTooLarge, match="60x50 = 3000 pixels and the limit is 2999"):
                read(io.BytesIO(data), max_pixels=2999)
    assert Image.MAX_IMAGE_PIXELS == 2000


def test_more_than_pillow_itself_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("PNG", "JPEG", "GIF", "BMP"):
        assert read_image(saved(IMAGE, kind)).size == (60, 50)
    for kind in ("WEBP", "TIFF"):
        with pytest.raises(ImageTooLarge, match="more than 200 pixels, which Pillow refuses"):
            read_image(saved(IMAGE, kind))


def test_commands_make_notes_of_what_pillow_warns_of() -> None:
    """Also where warnings are errors, as in this suite."""
    collect_warnings()
    for kind in ("JPEG", "TIFF"):
        data = saved(IMAGE, kind, exif=b"Exif\0\0" + cut_exif()) if kind == "JPEG" else cut_tiff()
        image = read_image(data)
        assert [note for note in image.notes if note.startswith("Pillow says: ")] != []
        assert len(image.notes) == len(set(image.notes))
        assert np.array_equal(image.colour, np.asarray(Image.open(io.BytesIO(saved(IMAGE, kind)))))


def cut_tiff() -> bytes:
    """A good TIFF with one more tag, whose value is behind the end of the file."""
    data = bytearray(saved(IMAGE, "TIFF", tiffinfo={270: "x" * 40}))
    at = data.index(struct.pack("<HHI", 270, 2, 41))
    data[at + 4 : at + 8] = struct.pack("<I", 1 << 20)
    return bytes(data)


def test_warnings_of_other_threads_stay_theirs() -> None:
    inside, done = threading.Event(), threading.Event()
    heard: list[str] = []

    def bystander() -> None:
        inside.wait(10)
        warnings.warn("not Pillow's", stacklevel=1)
        done.set()

    def listen(message: object, *_: object, **__: object) -> None:
        heard.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = listen
        before = (list(warnings.filters), warnings.showwarning)
        other = threading.Thread(target=bystander)
        other.start()
        notes: list[str] = []
        with pillow_errors(notes):
            inside.set()
            assert done.wait(10)
        other.join()
        assert (list(warnings.filters), warnings.showwarning) == before
        collect_warnings()
        collect_warnings()
        with pillow_errors(notes):
            bystander()
    assert notes == ["Pillow says: not Pillow's."] and heard == ["not Pillow's"]


def test_a_program_of_others_gets_pillows_warnings() -> None:
    """As from any library; what shows them and which are shown is left to it."""
    with pytest.warns(UserWarning, match="larger than file"):
        assert read_image(saved(IMAGE, "JPEG", exif=b"Exif\0\0" + cut_exif())).notes == ()


def test_many_threads_leave_everything_as_it_was() -> None:
    data = saved(IMAGE, "JPEG", exif=b"Exif\0\0" + cut_exif())
    collect_warnings()
    before = (list(warnings.filters), warnings.showwarning, Image.MAX_IMAGE_PIXELS)
    counts: list[int] = []

    def work() -> None:
        with pillow_errors([]):
            pass
        for _ in range(20):
            counts.append(sum(note.startswith("Pillow says") for note in read_image(data).notes))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(counts) == {1} and len(counts) == 80
    assert (list(warnings.filters), warnings.showwarning, Image.MAX_IMAGE_PIXELS) == before


def test_what_is_damaged_is_named_by_its_kind() -> None:
    webp = saved(IMAGE, "WEBP")
    for data, sentence in {
        b"": "it is empty",
        b"some text": r"not an image that Pillow can read\.$",
        webp[: len(webp) // 2]: "looks like a WEBP file that is damaged, cut short",
        saved(IMAGE, "PNG")[:20]: "looks like a PNG file that is damaged, cut short",
        b"P6\n-3 4\n255\n" + bytes(40): "looks like a PPM file",
        float_tiff(): "looks like a TIFF file .* no such samples, for example floats",
    }.items():
        with pytest.raises(UnsupportedImage, match=sentence) as caught:
            read_image(data)
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def float_tiff() -> bytes:
    """Three channels of float32, 2x1 pixels, which Pillow can neither write nor read."""
    pixels = np.linspace(0, 1, 6, dtype="<f4").tobytes()
    tags = [(256, 3, 1, 2), (257, 3, 1, 1), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3)]
    tags += [(278, 3, 1, 1), (279, 4, 1, len(pixels))]
    start = 8 + len(pixels)
    lists = start + 2 + 12 * (len(tags) + 2) + 4
    tags += [(258, 3, 3, lists), (339, 3, 3, lists + 6)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return (
        b"II*\0" + struct.pack("<I", start) + pixels + directory + bytes(4)
        + struct.pack("<6H", 32, 32, 32, 3, 3, 3)
    )  # fmt: skip


def test_floats_are_never_said_to_be_reducible() -> None:
    for allowed in (False, True):
        with pytest.raises(UnsupportedImage, match="floats of no stated range, which --reduce-16bit"):
            read_image(saved(Image.new("F", (3, 3)), "TIFF"), reduce_16bit=allowed)


def sgi_with_16_bits() -> bytes:
    head = struct.pack(">HBBHHHH", 474, 0, 2, 3, 2, 1, 3)
    return head.ljust(512, b"\0") + struct.pack(">6H", *range(0, 60000, 10000))


def dds_with_10_bits() -> bytes:
    masks = (0x3FF00000, 0xFFC00, 0x3FF)
    pixel_format = struct.pack("<8I", 32, 0x40, 0, 32, *masks, 0)
    head = struct.pack("<7I", 124, 0x100F, 1, 2, 8, 0, 0) + bytes(44) + pixel_format
    return b"DDS " + head.ljust(124, b"\0") + struct.pack("<2I", 0x12345678, 0x3FFFFFFF)


def dds_with_half_floats() -> bytes:
    pixel_format = struct.pack("<2I4s5I", 32, 4, b"DX10", 0, 0, 0, 0, 0)
    head = struct.pack("<7I", 124, 0x100F, 4, 4, 16, 0, 0) + bytes(44) + pixel_format
    return b"DDS " + head.ljust(124, b"\0") + struct.pack("<5I", 95, 3, 0, 1, 0) + bytes(16)


@pytest.mark.parametrize("make", [sgi_with_16_bits, dds_with_10_bits, dds_with_half_floats])
def test_more_than_8_bits_are_found_in_rare_files(make: object) -> None:
    data = make()  # type: ignore[operator]
    with open_image(io.BytesIO(data), None) as image:
        assert image.mode == "RGB" and bits_per_sample(image) == 16
    with pytest.raises(UnsupportedImage, match="more than 8 bits"):
        read_image(data)
    assert read_image(data, reduce_16bit=True).source_mode == "RGB;16"


@pytest.mark.parametrize("kind", ["SGI", "DDS", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "PCX", "QOI"])
def test_8_bits_stay_8_bits(kind: str) -> None:
    if kind not in Image.SAVE and not Image.init() and kind not in Image.SAVE:
        pytest.skip(f"this Pillow cannot write {kind}")
    assert read_image(saved(IMAGE, kind)).source_mode.startswith("RGB")


def test_an_error_of_any_type_is_one_sentence() -> None:
    errors = (ValueError("bad\nthing."), KeyError("x"), MemoryError(), ZeroDivisionError(), SystemError("c"))
    for error in errors:
        with pytest.raises(UnsupportedImage) as caught, pillow_errors([]):
            raise error
        assert str(caught.value).startswith("The image cannot be read: ")
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    with pytest.raises(ImageTooLarge, match="as it was"), pillow_errors([]):
        raise ImageTooLarge("as it was")
    with pytest.raises(KeyboardInterrupt), pillow_errors([]):
        raise KeyboardInterrupt
