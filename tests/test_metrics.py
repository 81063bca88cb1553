"""PSNR, MS-SSIM, bpp, and means of what is finite."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from glic_pyg.metrics import MS_SSIM_MIN_SIDE, bpp, finite_mean, ms_ssim, ms_ssim_db, pixel_psnr, psnr


def test_psnr_of_a_known_difference() -> None:
    x = torch.full((2, 3, 4, 4), 100 / 255)
    x_hat = x.clone()
    x_hat[1] += 5 / 255
    got = psnr(x_hat, x)
    assert got[0] == math.inf
    assert got[1].item() == pytest.approx(10 * math.log10(255**2 / 25))


def test_psnr_is_of_8_bit_images() -> None:
    x = torch.ones(1, 3, 2, 2)
    assert psnr(x + 3, x) == math.inf
    assert psnr(x - 0.4 / 255, x) == math.inf
    assert psnr(x - 0.6 / 255, x).item() == pytest.approx(20 * math.log10(255))


@pytest.mark.parametrize("shape", [(6, 5, 3), (6, 5)], ids=["colour", "grey"])
def test_psnr_of_an_image_as_of_a_batch(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, shape, dtype=np.uint8)
    decoded = np.clip(original + rng.integers(-9, 9, shape), 0, 255).astype(np.uint8)
    x_hat, x = (torch.from_numpy(p).reshape(1, -1, *shape[:2]) / 255 for p in (decoded, original))
    assert pixel_psnr(decoded, original) == pytest.approx(psnr(x_hat, x).item(), abs=1e-9)
    assert pixel_psnr(original, original) == psnr(x, x).item() == math.inf


def test_ms_ssim_of_flat_images_follows_the_formula() -> None:
    """Without any contrast only the luminance term of the last scale is left."""
    x, x_hat = (torch.full((1, 3, 176, 192), level / 255) for level in (100, 140))
    c1, exponent = (0.01 * 255) ** 2, 0.1333
    luminance = (2 * 100 * 140 + c1) / (100**2 + 140**2 + c1)
    assert ms_ssim(x_hat, x).item() == pytest.approx(luminance**exponent, abs=1e-4)


def test_ms_ssim_of_each_image_of_a_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 3, MS_SSIM_MIN_SIDE, 180, generator=generator)
    strength = torch.tensor([0.0, 0.1, 0.3])[:, None, None, None]
    got = ms_ssim(x + strength * torch.randn(x.shape, generator=generator), x)
    assert got.dtype == torch.float64 and got.shape == (3,)
    assert got[0].item() == pytest.approx(1, abs=1e-6)
    assert got[0] > got[1] > got[2] > 0


def test_ms_ssim_is_never_more_than_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32 a sum can come out one step above 1, depending on the processor."""
    monkeypatch.setattr("pytorch_msssim.ms_ssim", lambda *_, **__: torch.tensor([1.0000001, 0.5]))
    x = torch.zeros(2, 3, 200, 200)
    assert ms_ssim(x, x).tolist() == [1.0, 0.5]
    assert ms_ssim_db(ms_ssim(x, x)[0].item()) == math.inf


def test_ms_ssim_is_of_8_bit_images() -> None:
    x = torch.rand(1, 1, MS_SSIM_MIN_SIDE, MS_SSIM_MIN_SIDE, generator=torch.Generator().manual_seed(1))
    x = (x * 255).round() / 255
    assert ms_ssim(x + 0.4 / 255, x).item() == pytest.approx(1, abs=1e-6)
    assert ms_ssim(torch.where(x == 1, x + 5, x), x).item() == pytest.approx(1, abs=1e-6)


def test_ms_ssim_says_what_it_cannot_compare() -> None:
    small = torch.zeros(1, 3, MS_SSIM_MIN_SIDE - 1, 300)
    with pytest.raises(ValueError, match="at least 161 pixels a side; this image has 300x160"):
        ms_ssim(small, small)
    with pytest.raises(ValueError, match="equal shapes"):
        ms_ssim(torch.zeros(1, 3, 200, 200), torch.zeros(1, 3, 200, 201))


def test_decibels_of_ms_ssim() -> None:
    assert ms_ssim_db(0.99) == pytest.approx(20)
    assert ms_ssim_db(1.0) == math.inf


def test_bpp_counts_the_images_own_pixels() -> None:
    assert bpp(1000, 100, 40) == pytest.approx(2.0)


def test_a_mean_is_of_what_is_finite() -> None:
    assert finite_mean([30.0, math.inf, None, 36.0, math.nan]) == (33.0, 2)
    assert finite_mean([math.inf, None]) == (None, 0)
    assert finite_mean([]) == (None, 0)


def test_bpp_needs_no_torch() -> None:
    code = "import sys; from glic_pyg import metrics; print('pytorch_msssim' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
