"""The weight's gradient of a depthwise convolution in C equals torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from glic_pyg.nn import native

pytestmark = pytest.mark.skipif(not native.available(), reason="the C library is not compiled")


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("channels", [16, 21, 32, 47])
@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize(("height", "width"), [(6, 7), (1, 1), (3, 2), (2, 4)])
def test_equals_torch(side: int, channels: int, missing: int, height: int, width: int) -> None:
    x = torch.randn(2, height + side - 1 - 2 * missing, width, channels)
    grad = torch.randn(2, height, width, channels)
    weight = torch.zeros(channels, 1, side, side, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(channels, dtype=torch.float64, requires_grad=True)
    maps = x.double().permute(0, 3, 1, 2)
    out = F.conv2d(maps, weight, bias, padding=(missing, side // 2), groups=channels)
    expected = torch.autograd.grad(out, (weight, bias), grad.double().permute(0, 3, 1, 2))
    found = native.depthwise_backward(x, grad, side, missing)
    torch.testing.assert_close(found, tuple(e.float() for e in expected), rtol=1e-5, atol=1e-5)


def test_threads_do_not_matter() -> None:
    x, grad = torch.randn(3, 20, 17, 77), torch.randn(3, 16, 17, 77)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(native.depthwise_backward(x, grad, 5, 0))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


def test_what_it_leaves_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = torch.randn(1, 8, 8, 32), torch.randn(32, 1, 3, 3)
    assert native.can_sum_depthwise(x, weight)
    assert not native.can_sum_depthwise(x.double(), weight)
    assert not native.can_sum_depthwise(x, torch.randn(32, 1, 7, 7))
    assert not native.can_sum_depthwise(x, torch.randn(10, 1, 3, 3))
    monkeypatch.setenv("GLIC_NATIVE", "0")
    assert not native.can_sum_depthwise(x, weight)
