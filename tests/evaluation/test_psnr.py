import math

import pytest
import torch

from glic_pyg.evaluation.psnr import psnr


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
