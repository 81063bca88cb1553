"""The same small images as files and packed into shards; a server to fetch them from."""

import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.web import Web, serve

SIZES = [(48, 40), (64, 33), (33, 70), (50, 50), (40, 41)]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Five smooth colour images, two of them in a subfolder."""
    folder = tmp_path / "images"
    (folder / "b").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, size in enumerate(SIZES):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        name = f"{number}.png" if number < 3 else f"b/{number}.jpg"
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / name)
    return folder


@pytest.fixture
def pack(images: Path, tmp_path: Path) -> Callable[..., Path]:
    """Packs the images, dealt out to a number of shards, with some further members."""

    def make(name: str, shards: int, extra: Sequence[tuple[str, bytes]] = ()) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        paths = sorted(path for path in images.rglob("*") if path.is_file())
        for number in range(shards):
            with tarfile.open(folder / f"part-{number:03}.tar", "w") as tar:
                for path in paths[number::shards]:
                    tar.add(path, path.relative_to(images).as_posix())
                for member, content in extra:
                    info = tarfile.TarInfo(member)
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        return folder

    return make


@pytest.fixture
def web() -> Iterator[Web]:
    """A server on this machine."""
    with serve() as running:
        yield running
