"""Closed forms that tell whether q_theta is trained and how large alpha may be."""

from __future__ import annotations

import math

import pytest
import torch

from glic_pyg.regularizer.layers import gaussian_bits
from glic_pyg.regularizer.regularizer import critical_alpha, entropy_bound, equivalent_lmbda

# MLIC++ on Kodak: lambda, MSE in levels squared
POINTS = [(0.0018, 78.9), (0.0035, 55.2), (0.0067, 38.0), (0.0130, 24.9), (0.0250, 17.0), (0.0483, 12.0)]


def test_critical_alpha_of_a_strong_codec() -> None:
    found = [critical_alpha(lmbda, levels / 255**2) for lmbda, levels in POINTS]
    assert found == pytest.approx([0.066, 0.089, 0.118, 0.150, 0.197, 0.269], rel=0.01)


@pytest.mark.parametrize("sigma", [0.3, 2.0, 9.0])
def test_no_distribution_of_the_same_error_has_more_entropy(sigma: float) -> None:
    """Of a discretised Gaussian it is almost the entropy, of anything else it is more."""
    levels = torch.arange(256, dtype=torch.float64)
    bits = gaussian_bits(levels, levels * 0 + 127.3, levels * 0 + sigma, 1e-300)
    p = 2**-bits
    entropy = 3 * (p * bits).sum().item()
    mse = (p * (levels - (p * levels).sum()) ** 2).sum().item()
    assert entropy <= entropy_bound(mse / 255**2)
    if sigma > 1:
        assert entropy == pytest.approx(entropy_bound(mse / 255**2 - 1 / 12 / 255**2), rel=1e-3)
    uniform = 3 * math.log2(7)
    assert uniform < entropy_bound((49 - 1) / 12 / 255**2)


def test_bound_of_a_strong_codec() -> None:
    found = [entropy_bound(levels / 255**2) for _, levels in POINTS]
    assert found == pytest.approx([15.60, 14.82, 14.02, 13.11, 12.29, 11.54], abs=0.01)


def test_equivalent_lmbda() -> None:
    assert equivalent_lmbda(0.013, 0) == 0.013
    assert equivalent_lmbda(0.5, 0.25) == 0.4
