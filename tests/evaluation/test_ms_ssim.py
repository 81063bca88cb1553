import math

import pytest
import torch

from glic_pyg.evaluation.ms_ssim import LEAST_SIDE, ms_ssim, ms_ssim_db

WEIGHT_OF_LUMINANCE = 0.1333  # exponent of the coarsest scale, where alone luminance counts


def test_flat_pictures_follow_the_formula() -> None:
    """Without any contrast only the luminance term of the last scale is left."""
    x, x_hat = (torch.full((1, 3, 176, 192), level / 255) for level in (100, 140))
    c1 = (0.01 * 255) ** 2
    luminance = (2 * 100 * 140 + c1) / (100**2 + 140**2 + c1)
    assert ms_ssim(x_hat, x).item() == pytest.approx(luminance**WEIGHT_OF_LUMINANCE, abs=1e-4)


def test_each_picture_of_a_batch_on_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 3, LEAST_SIDE, 180, generator=generator)
    strength = torch.tensor([0.0, 0.1, 0.3])[:, None, None, None]
    got = ms_ssim(x + strength * torch.randn(x.shape, generator=generator), x)
    assert got.dtype == torch.float64 and got.shape == (3,)
    assert got[0].item() == pytest.approx(1, abs=1e-6)
    assert got[0] > got[1] > got[2] > 0


def test_rounded_and_clamped_to_8_bit() -> None:
    x = torch.rand(1, 1, LEAST_SIDE, LEAST_SIDE, generator=torch.Generator().manual_seed(1))
    x = (x * 255).round() / 255
    assert ms_ssim(x + 0.4 / 255, x).item() == pytest.approx(1, abs=1e-6)
    assert ms_ssim(torch.where(x == 1, x + 5, x), x).item() == pytest.approx(1, abs=1e-6)


def test_too_small_is_said() -> None:
    x = torch.zeros(1, 3, LEAST_SIDE - 1, 300)
    with pytest.raises(ValueError, match="at least 161 pixels a side; this picture has 300x160"):
        ms_ssim(x, x)


def test_other_shape_is_said() -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        ms_ssim(torch.zeros(1, 3, 200, 200), torch.zeros(1, 3, 200, 201))


def test_decibels() -> None:
    assert ms_ssim_db(0.99) == pytest.approx(20)
    assert ms_ssim_db(1.0) == math.inf
