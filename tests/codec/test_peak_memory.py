"""What coding a large image keeps alive at once: bytes a pixel of tensors, as torch's profiler sees them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate

import numpy as np
import pytest
import torch

from glic_pyg import kernels
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.weights_store import default_name, load_shipped
from glic_pyg.graph import cells
from glic_pyg.kernels import attention
from glic_pyg.nn import tiling

WIDTH, HEIGHTS = 384, (128, 320)
MOST = {"encode": 115, "decode": 115}
"""Bytes a pixel; 8 GB are 160 for 50 megapixels, of which Python, torch and the weights take 11."""


def peak(work: Callable[[], object]) -> int:
    """The most bytes of tensors on the CPU that are alive at once during the work."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as seen:
        work()
    events = seen.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(accumulate(change for _, change in changes))


def test_the_count_sees_what_is_alive_at_once() -> None:
    def work() -> None:
        a = torch.ones(1000)
        b = a + 1
        del a
        (b * 2).sum()

    assert 8000 <= peak(work) < 9000


@pytest.mark.skipif(not kernels.available(), reason="without kernels in C attention takes more")
def test_bytes_a_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each pixel more takes, where bands are as small a part of the image as those of 50 megapixels."""
    for module, name, value in (
        (tiling, "BAND_NODES", 96 * 4),
        (tiling, "TILE_NODES", 96),
        (attention, "CELLS_AT_ONCE", 1),
        (cells, "MOST_NODES_KEPT", 0),
    ):
        monkeypatch.setattr(module, name, value)
    loaded = load_shipped(default_name())
    codec = ImageCodec(loaded.model, loaded.name, loaded.hash)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHTS[1] // 16, WIDTH // 16, 3), dtype=np.uint8)
    image = np.kron(image, np.ones((16, 16, 1), np.uint8))
    data = [codec.encode(image[:height]).data for height in HEIGHTS]
    work: dict[str, list[Callable[[], object]]] = {
        "encode": [partial(codec.encode, image[:height]) for height in HEIGHTS],
        "decode": [partial(codec.decode, some) for some in data],
    }
    for what, sizes in work.items():
        less, more = map(peak, sizes)
        a_pixel = (more - less) / (WIDTH * (HEIGHTS[1] - HEIGHTS[0]))
        assert a_pixel < MOST[what], what
