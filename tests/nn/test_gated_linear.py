"""Gate and projection in one step equal the plain sequence, in output, gradient and what is kept."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glic_pyg.nn import gated_linear
from glic_pyg.nn.gated_linear import add_gated_linear
from glic_pyg.nn.pointwise import Pointwise


def case(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Pointwise]:
    torch.manual_seed(0)
    shapes = (2, 5, 7, 6), (2, 5, 7, 16), (2, 5, 7, 16)
    residual, u, v = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes)
    return residual, u, v, Pointwise(16, 6, bias=False).to(dtype)


def plain(residual: Tensor, u: Tensor, v: Tensor, linear: Pointwise) -> Tensor:
    return residual + linear(F.gelu(u) * v)


@pytest.mark.parametrize("rows", [3, 4096])
def test_output_and_gradients(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(gated_linear, "ROWS_AT_ONCE", rows)
    arguments = case(torch.float64)
    results = [form(*arguments) for form in (add_gated_linear, plain)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    variables, weight = [*arguments[:3], arguments[3].weight], torch.randn_like(results[0])
    gradients = [torch.autograd.grad((out * weight).sum(), variables) for out in results]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-11, atol=1e-11)


def test_without_gradient() -> None:
    residual, u, v, linear = case(torch.float32)
    expected = plain(residual, u, v, linear)
    with torch.no_grad():
        out = torch.empty_like(residual)
        assert add_gated_linear(residual, u, v.clone(), linear, out) is out
        torch.testing.assert_close(out, expected)
        torch.testing.assert_close(add_gated_linear(residual, u, v.clone(), linear), expected)


def test_mixed_precision_trains_float32_weights() -> None:
    residual, u, v, linear = case(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        low = add_gated_linear(residual, u.bfloat16(), v.bfloat16(), linear)
    assert low.dtype == torch.bfloat16
    low.float().square().sum().backward()
    assert linear.weight.grad is not None and linear.weight.grad.dtype == torch.float32
    (expected,) = torch.autograd.grad(plain(residual, u, v, linear).square().sum(), [linear.weight])
    largest = expected.abs().max().item()
    torch.testing.assert_close(linear.weight.grad, expected, rtol=0.1, atol=0.03 * largest)


def test_keeps_two_hidden_tensors_only() -> None:
    residual, u, v, linear = case(torch.float32)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        add_gated_linear(residual, u, v, linear)
    assert sum(t.numel() for t in kept if t.shape[-1] == 16 and t.dim() == 4) == 2 * u.numel()
