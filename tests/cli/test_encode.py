"""``glic encode --check`` compares with WebP at equal bytes."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.cli import encode
from glic_pyg.cli.main import main
from glic_pyg.evaluation import rate_matching
from glic_pyg.evaluation.rate_matching import WebpCheck

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")
LINE = re.compile(r"a.png -> a.glic: \d+ bytes, [\d.]+ bpp.*; ours [\d.]+ dB.*, WebP .* bytes")


def test_webp_is_better_than_an_untrained_model(capsys: Capture) -> None:
    slope = np.indices((256, 256)).sum(0).astype(np.uint8) // 2
    Image.fromarray(np.dstack([slope, slope // 2, 255 - slope])).save("a.png")
    assert main(["encode", "a.png", "a.glic", "--check"]) == 0
    said = capsys.readouterr().err
    assert LINE.search(said) and Path("a.glic").is_file()
    assert said.count("WARNING: WebP ") == 1 and "was written all the same" in said


def test_without_the_option_nothing_is_said(capsys: Capture) -> None:
    assert main(["encode", "a.png", "a.glic"]) == 0
    assert "WebP" not in capsys.readouterr().err


def test_the_file_is_the_same_and_no_warning_where_ours_is_better(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def better(original: np.ndarray, decoded: np.ndarray, size: int) -> WebpCheck:
        seen.append((original.ndim, size))
        return WebpCheck(31.0, size, 30.5, size)

    monkeypatch.setattr(rate_matching, "webp_check", better)
    main(["encode", "a.png", "plain.glic"])
    assert main(["encode", "a.png", "a.glic", "--check"]) == 0
    assert Path("a.glic").read_bytes() == Path("plain.glic").read_bytes()
    said = capsys.readouterr().err
    assert "; ours 31.00 dB, WebP 30.50 dB at the same " in said and "WARNING" not in said
    assert seen == [(3, Path("a.glic").stat().st_size)]


def test_alpha_and_metadata_are_left_out_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(
        rate_matching,
        "webp_check",
        lambda x, y, size: sizes.append(size) or WebpCheck(31.0, size, 30.0, size),
    )
    with Image.open("a.png") as image:
        alpha = Image.fromarray(np.random.default_rng(0).integers(0, 256, image.size[::-1], dtype=np.uint8))
        image.putalpha(alpha)
        image.save("with.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    for name in ("a", "with"):
        main(["encode", f"{name}.png", f"{name}.glic", "--check"])
    assert Path("with.glic").stat().st_size > Path("a.glic").stat().st_size + 1000
    assert abs(sizes[0] - sizes[1]) < 40  # what the container says of its streams


@pytest.mark.parametrize(
    ("found", "line", "warning"),
    [
        (WebpCheck(30, 900, 31.5, 900), "WebP 31.50 dB at the same 900 bytes", "is 1.50 dB better"),
        (WebpCheck(30, 900, 29, 1400), "30.00 dB in 900 bytes, WebP 29.00 dB in 1,400 bytes (its small", ""),
        (WebpCheck(30, 900, float("inf"), 800), "WebP without loss in 800 bytes", "loses nothing"),
        (WebpCheck(30, 900, 40, 800), "WebP 40.00 dB in 800 bytes (it needs no more)", "with fewer bytes"),
    ],
)
def test_every_outcome_has_its_words(found: WebpCheck, line: str, warning: str) -> None:
    assert line in encode._comparison(found)
    assert found.webp_is_better == bool(warning)
    assert warning in encode._warning(found)


def test_a_picture_that_webp_cannot_hold_is_encoded_all_the_same(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_matching, "WEBP_MAX_SIDE", 50)
    assert main(["encode", "a.png", "a.glic", "--check"]) == 0
    assert "note: Not checked: WebP holds no image of more than 50 pixels" in capsys.readouterr().err
