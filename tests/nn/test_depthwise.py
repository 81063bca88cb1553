"""The depthwise convolution of rows equals ``nn.Conv2d`` of maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from glic_pyg.nn.depthwise import depthwise


def ours(conv: nn.Conv2d, rows: Tensor, padding: tuple[int, int]) -> Tensor:
    return depthwise(rows, conv.weight, conv.bias, padding)


def convolution(side: int, *, bias: bool, dtype: torch.dtype = torch.float32) -> nn.Conv2d:
    return nn.Conv2d(10, 10, side, padding=side // 2, groups=10, bias=bias, dtype=dtype)


def by_conv2d(conv: nn.Conv2d, rows: Tensor) -> Tensor:
    return conv(rows.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("side", [3, 5])
def test_output_and_gradients(side: int, bias: bool, dtype: torch.dtype) -> None:
    conv = convolution(side, bias=bias, dtype=dtype)
    rows = torch.randn(2, 9, 7, 10, dtype=dtype, requires_grad=True)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    results = [ours(conv, rows, (side // 2, side // 2)), by_conv2d(conv, rows)]
    torch.testing.assert_close(*results, rtol=tolerance, atol=tolerance)
    weight = torch.randn_like(results[0])
    gradients = [torch.autograd.grad((out * weight).sum(), [rows, *conv.parameters()]) for out in results]
    for got, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=10 * tolerance)


def test_weights_that_ask_for_no_gradient_get_none() -> None:
    """The gradient of the rows is the same, and those of the weights are not computed."""
    conv, rows = convolution(3, bias=True), torch.randn(2, 9, 7, 10, requires_grad=True)
    (expected,) = torch.autograd.grad(ours(conv, rows, (1, 1)).square().sum(), rows)
    conv.requires_grad_(False)
    with torch.autograd.profiler.profile() as profile:
        (found,) = torch.autograd.grad(ours(conv, rows, (1, 1)).square().sum(), rows)
    assert torch.equal(found, expected)
    names = {event.name for event in profile.function_events}
    assert not {"glic_pyg::depthwise_backward", "aten::convolution_backward"} & names


def test_by_finite_differences() -> None:
    conv = convolution(3, bias=True, dtype=torch.float64)
    rows = torch.randn(1, 4, 3, 10, dtype=torch.float64, requires_grad=True)
    parameters = tuple(conv.parameters())
    assert torch.autograd.gradcheck(lambda r, *_: ours(conv, r, (1, 1)), (rows, *parameters))


@pytest.mark.parametrize("padding", [(0, 0), (2, 0), (0, 1)])
def test_halo_that_is_given_is_read(padding: tuple[int, int]) -> None:
    """A tile of a taller map gives what the whole map gives there."""
    conv = convolution(5, bias=True)
    rows = torch.randn(1, 12, 6, 10)
    top, bottom = padding
    out = ours(conv, rows, padding)
    assert out.shape == (1, 12 + top + bottom - 4, 6, 10)
    torch.testing.assert_close(out, by_conv2d(conv, rows)[:, 2 - top : 10 + bottom])


def test_autocast_to_bfloat16() -> None:
    conv = convolution(5, bias=True)
    rows = torch.randn(2, 9, 7, 10, requires_grad=True)
    exact = ours(conv, rows, (2, 2))
    with torch.autocast("cpu", torch.bfloat16):
        rough = ours(conv, rows, (2, 2))
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.02, atol=0.02 * exact.abs().max().item())
    weight = torch.randn_like(exact)
    variables = [rows, *conv.parameters()]
    gradients = [torch.autograd.grad((out.float() * weight).sum(), variables) for out in (rough, exact)]
    for got, expected in zip(*gradients, strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, expected, rtol=0.03, atol=0.03 * expected.abs().max().item())
