"""Images as the transforms read them: continued beyond their edges, some rows at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glic_pyg.codec.pixels import ExtendedImage, colour_of, levels_of, tensor_from_colour

CPU = torch.device("cpu")


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_the_continuation_begins_as_the_edge_and_becomes_smooth() -> None:
    colour = random_image(41, 23, 3)
    wide = ExtendedImage(colour, 16, CPU).rows(0, 48)
    assert wide.shape == (1, 3, 48, 32) and torch.equal(wide[..., :41, :23], tensor_from_colour(colour, CPU))
    steps = wide[..., :41, 22:].diff(dim=2).square().mean((0, 1, 2)).sqrt()
    assert (steps.diff() < 0).all() and steps[-1] < steps[0] / 4
    below = wide[..., 40:, :23].diff(dim=3).square().mean((0, 1, 3)).sqrt()
    assert (below.diff() < 0).all() and below[-1] < below[0] / 4
    flat = ExtendedImage(np.full((1, 1), 51, np.uint8), 16, CPU)
    torch.testing.assert_close(flat.rows(0, 16), torch.full((1, 3, 16, 16), 0.2))


@pytest.mark.parametrize("shape", [(41, 23, 3), (48, 32, 3), (33, 48), (1, 17, 3)])
def test_some_rows_are_those_of_the_whole(shape: tuple[int, ...]) -> None:
    image = ExtendedImage(random_image(*shape), 16, CPU)
    height = image.shape[2]
    whole = image.rows(0, height)
    assert whole.shape == image.shape and height % 16 == image.shape[3] % 16 == 0
    for first in range(0, height, 8):
        for last in range(first + 4, height + 1, 4):
            assert torch.equal(image.rows(first, last), whole[:, :, first:last])


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7)])
def test_there_and_back(shape: tuple[int, ...]) -> None:
    colour = random_image(*shape)
    x = tensor_from_colour(colour, CPU)
    assert np.array_equal(colour_of(levels_of(x, grey=len(shape) == 2)), colour)
