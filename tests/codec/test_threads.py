"""Encoding and decoding from several threads give what one thread gives, and change nothing around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.models.weights import weights_hash
from tests.contracts.backbones import BACKBONES, untrained

THREADS, CALLS = 4, 8


@pytest.fixture(params=["glic", "mlicpp", "autoregressive", "elic"])
def codec(request: pytest.FixtureRequest) -> ImageCodec:
    """A tiny codec of every way to code the latents, and of every kind of network in it."""
    assert request.param in BACKBONES
    model = untrained(request.param)
    return ImageCodec(model, "tiny", weights_hash(model))  # type: ignore[arg-type]


@pytest.fixture
def images(pixels: np.ndarray) -> list[np.ndarray]:
    """Four images of different sizes."""
    return [np.ascontiguousarray(pixels[: 30 + 20 * i, 10 * i :]) for i in range(4)]


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    """The results of ``work(0)``, ``work(1)``, ..., computed by several threads at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(CALLS)))


def test_any_number_of_threads_gives_the_bytes_of_one(codec: ImageCodec, images: list[np.ndarray]) -> None:
    alone = [codec.encode(image).data for image in images]
    assert in_threads(lambda i: codec.encode(images[i % 4]).data) == [alone[i % 4] for i in range(CALLS)]


def test_any_number_of_threads_gives_the_pixels_of_one(codec: ImageCodec, images: list[np.ndarray]) -> None:
    files = [codec.encode(image).data for image in images]
    alone = [codec.decode(data).array for data in files]
    together = in_threads(lambda i: codec.decode(files[i % 4]).array)
    assert all(np.array_equal(array, alone[i % 4]) for i, array in enumerate(together))


def test_the_model_is_only_read(codec: ImageCodec, images: list[np.ndarray]) -> None:
    def state(model: nn.Module) -> Iterator[tuple[str, int, torch.dtype]]:
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            yield name, tensor.data_ptr(), tensor.dtype

    model = codec.model
    assert isinstance(model, nn.Module)
    before, digest = list(state(model)), weights_hash(model)
    in_threads(lambda i: codec.decode(codec.encode(images[i % 4]).data))
    assert list(state(model)) == before and weights_hash(model) == digest
