"""1x1 convolutions on rows: plain and fused forms are equal."""

import pytest
import torch
import torch.nn.functional as F

from glic_pyg.nn.pointwise import Pointwise, add_linear, halves


@pytest.fixture
def rows() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 5, 24)


def test_is_a_convolution(rows: torch.Tensor) -> None:
    layer = Pointwise(24, 8)
    expected = F.conv2d(rows.mT[..., None], layer.weight, layer.bias)[..., 0].mT
    torch.testing.assert_close(layer(rows), expected)


def test_halves_are_contiguous(rows: torch.Tensor) -> None:
    layer = Pointwise(24, 64, bias=False)
    parts = halves(rows, layer)
    assert all(half.is_contiguous() for half in parts)
    torch.testing.assert_close(torch.cat(parts, -1), layer(rows))


@pytest.mark.parametrize("bias", [True, False])
def test_add_linear(rows: torch.Tensor, bias: bool) -> None:
    layer, residual = Pointwise(24, 8, bias=bias), torch.randn(2, 5, 8)
    expected = residual + layer(rows)
    torch.testing.assert_close(add_linear(residual, rows, layer), expected)
    with torch.no_grad():
        out = torch.empty(2, 5, 8)
        assert add_linear(residual, rows, layer, out) is out
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("given", [True, False])
def test_add_linear_follows_autocast(rows: torch.Tensor, given: bool) -> None:
    layer, residual = Pointwise(24, 8), torch.randn(2, 5, 8)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        out = torch.empty(2, 5, 8, dtype=torch.bfloat16) if given else None
        low = add_linear(residual, rows.bfloat16(), layer, out)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), residual + layer(rows), rtol=0.05, atol=0.05)
