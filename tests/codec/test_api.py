"""What the Python API takes, and the sentences about what it does not take."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glic_pyg
from glic_pyg.codec import api
from glic_pyg.codec.weights_store import load_from_path, weights_file
from glic_pyg.errors import BadArgument, GlicError, WeightsNotFound
from glic_pyg.models.weights import save_weights
from tests.contracts.backbones import untrained


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, untrained("hyperprior"), {})
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "a.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    return path


class Named:
    """Something that has a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


PATHS: dict[str, Callable[[Path], Any]] = {"a text": str, "a Path": Path, "another path": Named}
WAYS: dict[str, Callable[[Path], Any]] = {
    **PATHS,
    "bytes": Path.read_bytes,
    "a bytearray": lambda path: bytearray(path.read_bytes()),
    "a memoryview": lambda path: memoryview(path.read_bytes()),
}


@pytest.mark.parametrize("way", WAYS)
def test_files_are_given_in_any_way(way: str, image: Path, weights: Path, tmp_path: Path) -> None:
    expected = glic_pyg.encode(Image.open(image), weights=weights)
    assert glic_pyg.encode(WAYS[way](image), weights=weights) == expected
    coded = tmp_path / "a.glic"
    coded.write_bytes(expected)
    decoded = glic_pyg.decode(WAYS[way](coded), weights=weights)
    assert np.array_equal(decoded, glic_pyg.decode(expected, weights=weights))
    assert glic_pyg.open_info(WAYS[way](coded)).width == 50


@pytest.mark.parametrize("way", PATHS)
def test_weights_are_given_by_any_kind_of_path(way: str, image: Path, weights: Path) -> None:
    expected = glic_pyg.encode(image, weights=weights)
    assert glic_pyg.encode(image, weights=PATHS[way](weights)) == expected


def test_arrays_behind_a_memoryview_are_pixels(weights: Path) -> None:
    pixels = np.full((20, 30, 3), 90, np.uint8)
    assert glic_pyg.encode(memoryview(pixels), weights=weights) == glic_pyg.encode(pixels, weights=weights)


PIXELS = np.zeros((8, 8, 3), np.uint8)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no such device": ({"device": "tpu"}, "cannot use the device 'tpu'"),
    "the meta device": ({"device": "meta"}, "cannot use the device 'meta'"),
    "a device that is no name": ({"device": 3.5}, "A device is 'cpu' or 'cuda'"),
    "a list of devices": ({"device": ["cpu"]}, "A device is 'cpu' or 'cuda'"),
    "no such precision": ({"precision": "fp16"}, "A precision is 'float32' or 'bf16', not 'fp16'"),
    "a list of precisions": ({"precision": ["bf16"]}, "A precision is"),
    "a limit in words": ({"max_pixels": "many"}, "max_pixels is a whole number"),
    "no pixels": ({"max_pixels": 0}, "max_pixels is a whole number of at least 1"),
    "weights that are bytes": ({"weights": b"a"}, "Weights are given as the path of a file"),
    "weights that are a number": ({"weights": 3}, "Weights are given as the path of a file"),
}
BAD_TO_ENCODE: dict[str, tuple[dict[str, Any], str]] = {
    "a quality in words": ({"quality": "high"}, "A quality is a number, not 'high'"),
    "a quality that is true": ({"quality": True}, "A quality is a number, not True"),
    "a list of qualities": ({"quality": [50]}, "A quality is a number"),
    "no number": ({"quality": float("nan")}, "from 0 to 100"),
    "a size in words": ({"target_bytes": "1k"}, "A target_bytes is a number"),
    "no size": ({"target_bytes": 0}, "above 0"),
    "a model that is a path": ({"model": Path("a")}, "name of shipped weights"),
    "no such model": ({"model": "glic_z"}, "no weights 'glic_z'"),
}


@pytest.mark.parametrize("what", [*BAD, *BAD_TO_ENCODE])
def test_bad_arguments_of_encode(what: str, weights: Path) -> None:
    options, sentence = {**BAD, **BAD_TO_ENCODE}[what]
    given = options if "model" in options else {"weights": weights, **options}
    with pytest.raises(GlicError, match=sentence) as error:
        glic_pyg.encode(PIXELS, **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("what", BAD)
def test_bad_arguments_of_decode(what: str, weights: Path) -> None:
    options, sentence = BAD[what]
    with pytest.raises(BadArgument, match=sentence):
        glic_pyg.decode(glic_pyg.encode(PIXELS, weights=weights), **{"weights": weights, **options})


@pytest.mark.parametrize("image", [None, 3, [[1, 2], [3]], {"a": 1}, object(), np.zeros(3), "", "a\0b"])
def test_what_is_no_image(image: Any, weights: Path) -> None:
    with pytest.raises(GlicError):
        glic_pyg.encode(image, weights=weights)


@pytest.mark.parametrize("data", [None, 3, [1, 2], PIXELS, "", "a\0b", b"", b"no such file"])
def test_what_is_no_file(data: Any) -> None:
    for call in (glic_pyg.decode, glic_pyg.open_info):
        with pytest.raises(GlicError):
            call(data)


@pytest.mark.parametrize("path", ["absent", os.curdir])
def test_files_that_cannot_be_read_are_named(path: str, weights: Path) -> None:
    for call in (lambda: glic_pyg.encode(path, weights=weights), lambda: glic_pyg.decode(path)):
        with pytest.raises(GlicError, match=f"'{path}' cannot be read: (No such file|Is a directory)"):
            call()


def test_streams_have_information_too(weights: Path) -> None:
    data = glic_pyg.encode(PIXELS, weights=weights)
    assert glic_pyg.open_info(BytesIO(data)) == glic_pyg.open_info(data)


def test_the_folder_of_a_run(weights: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "first"
    run.mkdir(parents=True)
    for there in (run, run.parent):
        with pytest.raises(WeightsNotFound, match=f"no weights in the folder {there}; give another"):
            weights_file(there)
    exported = run / "hyperprior_s.safetensors"
    save_weights(exported, untrained("hyperprior"), {})
    assert load_from_path(run).name == "hyperprior_s"
    assert glic_pyg.encode(PIXELS, weights=run) == glic_pyg.encode(PIXELS, weights=exported)
    with pytest.raises(WeightsNotFound, match=f"one of those below it, e.g. {exported}"):
        weights_file(run.parent)
    save_weights(run / "b.safetensors", untrained("hyperprior"), {})
    with pytest.raises(WeightsNotFound, match=r"several weights; name one: b\.safetensors, hyperprior_s"):
        weights_file(run)


def test_threads_that_come_at_once_load_weights_once(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []

    def counted(path: Path) -> Any:
        loads.append(path)
        return load_from_path(path)

    monkeypatch.setattr(api, "load_from_path", counted)
    api._from_path.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _: glic_pyg.encode(PIXELS, weights=weights), range(8)))
    assert len({*files}) == 1 and len(loads) == 1
    api._from_path.cache_clear()
