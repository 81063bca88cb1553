"""Gradients against the definition."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glic_pyg.inspection.fields import latent_grid, receptive_fields
from glic_pyg.models.glic import GLIC

Pixels = NDArray[np.uint8]


class Linear(nn.Module):
    """g_a is one convolution of 32 x 32 pixels every 16, so a latent looks at exactly those."""

    multiple = 16

    def __init__(self) -> None:
        super().__init__()
        self.g_a = nn.Conv2d(3, 5, 32, stride=16, padding=8)


def test_a_convolution_looks_at_its_window() -> None:
    torch.manual_seed(0)
    model = Linear()
    fields = receptive_fields(model, np.zeros((64, 80, 3), np.uint8), [(2, 3), (1, 1)])
    assert fields.maps.shape == (2, 64, 80) and fields.positions.tolist() == [[2, 3], [1, 1]]
    weight = model.g_a.weight.sum(0).abs().sum(0).detach().numpy()
    np.testing.assert_allclose(fields.maps[0, 24:56, 40:72], weight / weight.sum(), rtol=1e-4)
    assert fields.maps.sum(axis=(1, 2)) == pytest.approx([1, 1])
    assert not fields.maps[0, :24].any()


def test_shares_of_the_gradient_of_a_place(tiny_glic: GLIC, image: Pixels, x: Tensor) -> None:
    fields = receptive_fields(tiny_glic, image, [(4, 6)])
    wanted = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(tiny_glic.g_a(wanted)[0, :, 4, 6].sum(), wanted)
    size = gradient.abs().sum(1)[0, :130, :200]
    np.testing.assert_allclose(fields.maps[0], size / size.sum(), atol=1e-7)
    assert all(parameter.grad is None for parameter in tiny_glic.parameters())


def test_a_place_outside_is_refused(tiny_glic: GLIC, image: Pixels) -> None:
    with pytest.raises(ValueError, match="not in a y of 9 x 13"):
        receptive_fields(tiny_glic, image, [(9, 0)])


def test_positions_spread_evenly() -> None:
    assert latent_grid(512, 768, 6) == [(8, 8), (8, 24), (8, 40), (24, 8), (24, 24), (24, 40)]
    assert latent_grid(20, 20, 1) == [(0, 0)]
