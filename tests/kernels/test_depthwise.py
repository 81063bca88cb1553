"""The depthwise convolution in C and its weight's gradient equal torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from benchmarks.decoder_settings import threads
from glic_pyg import kernels

pytestmark = pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled")


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("channels", [16, 21, 32, 47])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("height", "width"), [(6, 7), (1, 1), (3, 2), (2, 4)])
def test_equals_torch(side: int, channels: int, padding: int, height: int, width: int) -> None:
    x = torch.randn(2, height + side - 1 - 2 * padding, width, channels)
    grad = torch.randn(2, height, width, channels)
    weight = torch.zeros(channels, 1, side, side, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(channels, dtype=torch.float64, requires_grad=True)
    maps = x.double().permute(0, 3, 1, 2)
    out = F.conv2d(maps, weight, bias, padding=(padding, side // 2), groups=channels)
    expected = torch.autograd.grad(out, (weight, bias), grad.double().permute(0, 3, 1, 2))
    found = kernels.depthwise_backward(x, grad, side, padding)
    torch.testing.assert_close(found, tuple(e.float() for e in expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("channels", [16, 21, 47])
@pytest.mark.parametrize("padding", [(0, 0), (1, 0), (2, 1)])
@pytest.mark.parametrize(("height", "width"), [(6, 13), (1, 1), (3, 2)])
def test_convolution_equals_torch(
    side: int, channels: int, padding: tuple[int, int], height: int, width: int
) -> None:
    x = torch.randn(2, height + side - 1 - sum(padding), width, channels)
    weight, bias = torch.randn(channels, 1, side, side), torch.randn(channels)
    expected = convolved(x, weight, bias, padding)
    torch.testing.assert_close(kernels.depthwise(x, weight, bias, *padding), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [13, 3])
def test_convolution_and_gate_equal_torch(width: int) -> None:
    u, v, weights = *torch.randn(2, 2, 6, width, 21), torch.randn(2, 21, 1, 3, 3)
    expected = F.gelu(convolved(u, weights[0], None, (1, 0))) * convolved(v, weights[1], None, (1, 0))
    found = kernels.depthwise_gate(u, v, weights[0], weights[1], 1, 0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def convolved(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: tuple[int, int]
) -> torch.Tensor:
    """By torch, in float64."""
    exact = [None if t is None else t.double() for t in (weight, bias)]
    maps = F.pad(x.double(), (0, 0, 0, 0, *padding)).permute(0, 3, 1, 2)
    out = F.conv2d(maps, *exact, padding=(0, weight.shape[-1] // 2), groups=len(weight))
    return out.permute(0, 2, 3, 1).float()


def test_threads_do_not_matter() -> None:
    x, grad = torch.randn(3, 20, 17, 77), torch.randn(3, 16, 17, 77)
    weight, results = torch.randn(77, 1, 5, 5), []
    for count in (1, 3):
        with threads(count):
            gradients = kernels.depthwise_backward(x, grad, 5, 0)
            results.append([kernels.depthwise(x, weight, None, 0, 0), *gradients])
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


def test_what_it_leaves_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = torch.randn(1, 8, 8, 32), torch.randn(32, 1, 3, 3)
    assert kernels.can_convolve(x, weight)
    assert not kernels.can_convolve(x.double(), weight)
    assert not kernels.can_convolve(x, torch.randn(32, 1, 7, 7))
    assert not kernels.can_convolve(x, torch.randn(10, 1, 3, 3))
    monkeypatch.setenv("GLIC_KERNELS", "0")
    assert not kernels.can_convolve(x, weight)
