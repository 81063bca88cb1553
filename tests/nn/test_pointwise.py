"""1x1 convolutions on rows: plain and fused forms are equal."""

import pytest
import torch
import torch.nn.functional as F

from glic_pyg.nn.pointwise import Pointwise, add_linear, gate, gated_projection


@pytest.fixture
def rows() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 5, 24)


def test_is_a_convolution(rows: torch.Tensor) -> None:
    layer = Pointwise(24, 8)
    expected = F.conv2d(rows.mT[..., None], layer.weight, layer.bias)[..., 0].mT
    torch.testing.assert_close(layer(rows), expected)


@pytest.mark.parametrize("onednn", [True, False])
def test_gated_projection_is_the_gate_of_the_projection(
    rows: torch.Tensor, onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", onednn)
    layer = Pointwise(24, 64, bias=False)
    u, v = layer(rows).chunk(2, -1)
    expected = F.gelu(u) * v
    with torch.no_grad():
        torch.testing.assert_close(gated_projection(rows, layer), expected)
        torch.testing.assert_close(gate(layer(rows)), expected)
        double = gated_projection(rows.double(), layer.double())
    torch.testing.assert_close(double.float(), expected)
    assert double.dtype == torch.float64


def test_gated_projection_follows_autocast(rows: torch.Tensor) -> None:
    layer = Pointwise(24, 64, bias=False)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = gated_projection(rows, layer)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), gate(layer(rows)), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("bias", [True, False])
def test_add_linear(rows: torch.Tensor, bias: bool) -> None:
    layer, residual = Pointwise(24, 8, bias=bias), torch.randn(2, 5, 8)
    expected = residual + layer(rows)
    torch.testing.assert_close(add_linear(residual, rows, layer), expected)
    with torch.no_grad():
        out = torch.empty(2, 5, 8)
        assert add_linear(residual, rows, layer, out) is out
    torch.testing.assert_close(out, expected)
