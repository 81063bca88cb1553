"""Bits of 8-bit samples: values, gradients, normalisation, tails."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from glic_pyg.regularizer.layers import LIKELIHOOD_FLOOR, gaussian_bits, log_phi

LEVELS = torch.arange(256, dtype=torch.float64)
MOST = -math.log2(LIKELIHOOD_FLOOR)
MEANS = (-300.0, -20.0, -0.3, 0.0, 0.5, 7.2, 127.5, 128.0, 254.7, 255.0, 260.0, 1000.0)
SCALES = (0.11, 0.5, 1.0, 8.0, 50.0, 1000.0)


def leaf(value: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(value, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize(
    ("symbol", "mean", "scale", "bits", "by_mean", "by_scale"),
    [
        (100, 97.3, 4, 3.656457311175, -0.242190031972, 0.196172821284),
        (0, -0.7, 1.5, 0.343467748698, 0.353519363329, 0.282815490663),
        (255, 250.2, 3, 3.720111791257, -0.905131425720, -1.297355043532),
        (128, 128, 0.5, 0.550698548602, 0, 2.045380620764),
    ],
)
def test_values_and_gradients(
    symbol: float, mean: float, scale: float, bits: float, by_mean: float, by_scale: float
) -> None:
    """Both open bins, a wide and a narrow Gaussian; reference numbers from another implementation."""
    mu, sigma = leaf(mean), leaf(scale)
    result = gaussian_bits(torch.tensor(float(symbol)).double(), mu, sigma)
    result.backward()
    found = [result.item(), mu.grad.item(), sigma.grad.item()]  # type: ignore[union-attr]
    assert found == pytest.approx([bits, by_mean, by_scale], abs=1e-10)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("scale", SCALES)
def test_sums_to_one(mean: float, scale: float) -> None:
    exact = gaussian_bits(LEVELS, LEVELS * 0 + mean, LEVELS * 0 + scale, floor=1e-300)
    assert (2**-exact).sum().item() == pytest.approx(1, abs=1e-12)
    floored = gaussian_bits(LEVELS, LEVELS * 0 + mean, LEVELS * 0 + scale)
    assert 1 - 1e-12 <= (2**-floored).sum().item() <= 1 + 256 * LIKELIHOOD_FLOOR
    assert floored.max() <= MOST + 1e-9


def test_gradients_against_finite_differences() -> None:
    symbols = torch.tensor([0.0, 0, 1, 100, 128, 254, 255, 255]).double()
    means = torch.tensor([3.0, -2, 4, 97.3, 128.4, 256, 250, 258]).double().requires_grad_()
    scales = torch.tensor([2.0, 0.7, 1, 30, 0.4, 2, 3, 1]).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda m, s: gaussian_bits(symbols, m, s, 1e-300), (means, scales))


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("scale", SCALES)
def test_float32_keeps_value_and_gradient(mean: float, scale: float) -> None:
    """Also where float32 probabilities would have underflowed to 0."""
    exact, rounded = (
        [t.to(dtype) for t in (LEVELS, LEVELS * 0 + mean, LEVELS * 0 + scale)]
        for dtype in (torch.float64, torch.float32)
    )
    results = []
    for symbols, means, scales in (exact, rounded):
        means.requires_grad_()
        bits = gaussian_bits(symbols, means, scales, floor=1e-300 if means.dtype == torch.float64 else 1e-38)
        near = bits[bits < 100].sum()
        results.append((bits.detach().clamp(max=100), *torch.autograd.grad(near, means)))
    for double, single in zip(*results, strict=True):
        torch.testing.assert_close(single.double(), double, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("z", [-1e5, -1e4, -2000.0, -30.0, -1.0, 0.0, 3.0, 1e4])
def test_gradient_of_log_phi_in_float32(z: float) -> None:
    """phi / Phi goes to -z + 1/z on the left, where torch's own gradient fails."""
    single, double = leaf(z, torch.float32), leaf(z)
    log_phi(single).backward()
    log_phi(double).backward()
    assert single.grad.item() == pytest.approx(double.grad.item(), rel=1e-5)  # type: ignore[union-attr]
    if z < -20:
        assert double.grad.item() == pytest.approx(-z - 1 / z, rel=1e-5)  # type: ignore[union-attr]


@pytest.mark.parametrize(("mean", "scale"), [(5000.0, 0.11), (-200.0, 1.0), (110.0, 0.2)])
def test_outliers(mean: float, scale: float) -> None:
    """Their bits are bounded; theta's step learns from them, the codec's step gains nothing from them."""
    symbol = torch.tensor(100.0)
    mu, sigma = leaf(mean, torch.float32), leaf(scale, torch.float32)
    bits = gaussian_bits(symbol, mu, sigma)
    assert bits.item() == pytest.approx(MOST, rel=1e-6)
    towards, wider = torch.autograd.grad(bits, (mu, sigma), retain_graph=True)
    assert math.isfinite(towards) and towards.item() * (mean - 100) > 0
    assert math.isfinite(wider) and wider < 0
    assert torch.autograd.grad(-bits, (mu, sigma)) == (0, 0)


def test_scales_without_end() -> None:
    """Of a Gaussian that is flat over the range only the two open bins are left, and no gradient is nan."""
    mu, sigma = leaf(128.0, torch.float32), leaf(1e9, torch.float32)
    bits = gaussian_bits(LEVELS.float(), mu.expand(256), sigma.expand(256))
    assert bits[0].item() == pytest.approx(1, abs=1e-3) and bits[255].item() == pytest.approx(1, abs=1e-3)
    bits.sum().backward()
    assert torch.isfinite(mu.grad) and torch.isfinite(sigma.grad)  # type: ignore[arg-type]
