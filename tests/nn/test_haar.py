"""The Haar side branch: an orthonormal transform, its scaling and its penalty."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from glic_pyg.nn import HaarDown, HaarUp

# LL, LH, HL, HH of the block [[1, 2], [4, 8]].
BLOCK = [[1.0, 2.0], [4.0, 8.0]]
BANDS = [7.5, -4.5, -2.5, 1.5]


def identity(layer: HaarDown | HaarUp) -> HaarDown | HaarUp:
    """The layer without its learned part: linear map I, no bias, scale 1."""
    torch.nn.init.eye_(layer.linear.weight)
    torch.nn.init.zeros_(layer.linear.bias)
    torch.nn.init.zeros_(layer.scaling)
    return layer.double()


def naive_bands(x: Tensor) -> Tensor:
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return torch.cat([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], 1) / 2


def test_bands_of_one_block() -> None:
    block = torch.tensor([[BLOCK]], dtype=torch.float64)
    bands = identity(HaarDown(1, 4))(block)
    assert bands.flatten().tolist() == pytest.approx(BANDS, abs=1e-15)
    assert identity(HaarUp(4, 1))(bands).tolist() == [[[pytest.approx(row, abs=1e-15) for row in BLOCK]]]


def test_identity_keeps_energy_and_has_an_inverse() -> None:
    x = torch.randn(2, 3, 6, 10, dtype=torch.float64)
    bands = identity(HaarDown(3, 12))(x)
    torch.testing.assert_close(bands, naive_bands(x), rtol=0, atol=1e-14)
    assert bands.square().sum().item() == pytest.approx(x.square().sum().item(), rel=1e-14)
    torch.testing.assert_close(identity(HaarUp(12, 3))(bands), x, rtol=0, atol=1e-14)


def test_down_scales_each_band_then_mixes() -> None:
    layer = HaarDown(3, 5).double()
    torch.nn.init.normal_(layer.scaling)
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    scaled = naive_bands(x) * layer.scaling.exp()[:, None, None]
    expected = torch.einsum("oc,bchw->bohw", layer.linear.weight, scaled) + layer.linear.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-13)


def test_up_mixes_then_divides_each_band() -> None:
    layer = HaarUp(5, 3).double()
    torch.nn.init.normal_(layer.scaling)
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64)
    mixed = torch.einsum("oc,bchw->bohw", layer.linear.weight, x) + layer.linear.bias[:, None, None]
    out = layer(x)
    assert out.shape == (2, 3, 8, 12)
    torch.testing.assert_close(
        naive_bands(out), mixed / layer.scaling.exp()[:, None, None], rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("layer", [HaarDown, HaarUp])
def test_scaling_starts_at_one_half_but_for_the_finest_band(layer: type[HaarDown | HaarUp]) -> None:
    assert layer(3, 3).scaling.tolist() == [0.5] * 9 + [0.0] * 3


@pytest.mark.parametrize(
    ("kind", "widths", "wide"),
    [(HaarDown, (2, 5), True), (HaarDown, (2, 11), False), (HaarUp, (11, 2), True), (HaarUp, (5, 2), False)],
)
def test_ortho_loss(kind: type[HaarDown | HaarUp], widths: tuple[int, int], wide: bool) -> None:
    layer = kind(*widths)
    weight = layer.linear.weight.detach()
    rows, columns = weight.shape
    assert (columns > rows) == wide
    vectors = weight if wide else weight.T
    total = 0.0
    for i, u in enumerate(vectors):
        for j, v in enumerate(vectors):
            total += (float(u @ v) - (i == j)) ** 2
    assert layer.ortho_loss().item() == pytest.approx(total / len(vectors) ** 2, rel=1e-5)


@pytest.mark.parametrize(("kind", "widths"), [(HaarDown, (3, 4)), (HaarDown, (2, 20)), (HaarUp, (20, 2))])
def test_ortho_loss_is_zero_for_orthonormal_rows(
    kind: type[HaarDown | HaarUp], widths: tuple[int, int]
) -> None:
    layer = kind(*widths)
    torch.nn.init.orthogonal_(layer.linear.weight)
    assert layer.ortho_loss().item() < 1e-12
    with torch.no_grad():
        layer.linear.weight.mul_(math.sqrt(2))
    side = min(layer.linear.weight.shape)
    assert layer.ortho_loss().item() == pytest.approx(1 / side, rel=1e-5)


@pytest.mark.parametrize("layer", [HaarDown(3, 8), HaarUp(3, 8)])
def test_autocast_does_not_round_the_image(layer: HaarDown | HaarUp) -> None:
    x = torch.rand(1, 3, 8, 8)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), exact)
        assert layer(x.bfloat16()).dtype == torch.float32
