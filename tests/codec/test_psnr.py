import math

import numpy as np
import pytest
import torch

from glic_pyg.codec.psnr import pixel_psnr, psnr


def test_known_difference() -> None:
    x = torch.full((2, 3, 4, 4), 100 / 255)
    x_hat = x.clone()
    x_hat[1] += 5 / 255
    got = psnr(x_hat, x)
    assert got[0] == math.inf
    assert got[1].item() == pytest.approx(10 * math.log10(255**2 / 25))


def test_rounded_and_clamped_to_8_bit() -> None:
    x = torch.ones(1, 3, 2, 2)
    assert psnr(x + 3, x) == math.inf
    assert psnr(x - 0.4 / 255, x) == math.inf
    assert psnr(x - 0.6 / 255, x).item() == pytest.approx(20 * math.log10(255))


@pytest.mark.parametrize("shape", [(6, 5, 3), (6, 5)], ids=["colour", "grey"])
def test_of_a_picture_as_of_a_batch(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, shape, dtype=np.uint8)
    decoded = np.clip(original + rng.integers(-9, 9, shape), 0, 255).astype(np.uint8)
    x_hat, x = (torch.from_numpy(p).reshape(1, -1, *shape[:2]) / 255 for p in (decoded, original))
    assert pixel_psnr(decoded, original) == pytest.approx(psnr(x_hat, x).item(), abs=1e-9)
    assert pixel_psnr(original, original) == psnr(x, x).item() == math.inf
