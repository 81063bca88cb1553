"""Every example runs and does what it says."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"


def run(name: str, **options: object) -> object:
    return importlib.import_module(f"examples.{name}").main(**options)


def test_classify_images() -> None:
    assert run("classify_images", epochs=6, count=32) > 0.9  # type: ignore[operator]


def test_denoise() -> None:
    before, after = run("denoise", steps=25, crop=32)  # type: ignore[misc]
    assert after < 0.9 * before


def test_superpixels() -> None:
    before, after = run("superpixels", steps=60)  # type: ignore[misc]
    assert after < 0.5 * before


def test_explain_edge() -> None:
    mask, most, least = run("explain_edge", steps=40)  # type: ignore[misc]
    assert 1 / 13 < mask <= 1 and most > 2 * least


def test_hetero() -> None:
    before, after = run("hetero")  # type: ignore[misc]
    assert after < 0.3 * before


def test_swap_attention() -> None:
    count, losses = run("swap_attention")  # type: ignore[misc]
    assert count > 0 and losses[-1] < losses[0]


def test_no_example_is_left_out() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    names = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert names and names <= tested


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80
