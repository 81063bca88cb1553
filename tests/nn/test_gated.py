"""Gated blocks against a composition of torch's own layers; the fused gate against the plain sequence."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glic_pyg.nn import GatedBlock, PointwiseBlock
from glic_pyg.nn import gated as module
from glic_pyg.nn.gated import add_gated_linear
from glic_pyg.nn.pointwise import Pointwise


def layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Over the channels of a ``(B, C, H, W)`` map, by its formula, eps 1e-6."""
    mean = x.mean(1, keepdim=True)
    variance = x.var(1, unbiased=False, keepdim=True)
    return (x - mean) / (variance + 1e-6).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]


def feed_forward(block: GatedBlock | PointwiseBlock, x: Tensor) -> Tensor:
    u, v = F.conv2d(layer_norm(x, block.norm), block.ffn.project_in.weight).chunk(2, 1)
    gelu = u * (1 + torch.erf(u / 2**0.5)) / 2
    return F.conv2d(gelu * v, block.ffn.project_out.weight)


def gated(block: GatedBlock, x: Tensor) -> Tensor:
    mixed = F.conv2d(x, block.mix_in.weight, block.mix_in.bias)
    mixed = torch.where(mixed > 0, mixed, 0.01 * mixed)
    kernel = block.depthwise
    mixed = F.conv2d(mixed, kernel.weight, kernel.bias, padding=2, groups=x.shape[1])
    mixed = F.conv2d(mixed, block.mix_out.weight, block.mix_out.bias)
    same = isinstance(block.skip, nn.Identity)
    h = mixed + (x if same else F.conv2d(x, block.skip.weight, block.skip.bias))
    return h + feed_forward(block, h)


def pointwise(block: PointwiseBlock, x: Tensor) -> Tensor:
    u = F.conv2d(x, block.mix.weight, block.mix.bias)
    return u + feed_forward(block, u)


@pytest.mark.parametrize("widths", [(6, 6), (6, 9)], ids=["same", "wider"])
@pytest.mark.parametrize(("kind", "naive"), [(GatedBlock, gated), (PointwiseBlock, pointwise)])
def test_equals_the_composition(kind: type, naive, widths: tuple[int, int]) -> None:
    block = kind(*widths, 2).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.4)
    x = torch.randn(2, widths[0], 11, 7, dtype=torch.float64, requires_grad=True)
    results = [block(x), naive(block, x)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(results[0])
    gradients = [torch.autograd.grad((out * weight).sum(), [x, *block.parameters()]) for out in results]
    for got, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_identity_is_a_convolution_only_if_the_widths_differ() -> None:
    count = {
        widths: sum(p.numel() for p in GatedBlock(*widths, 1).parameters()) for widths in ((4, 4), (4, 6))
    }
    assert count[4, 4] == (16 + 4) + (100 + 4) + (16 + 4) + 8 + 4 * 8 + 4 * 4
    assert count[4, 6] == (16 + 4) + (100 + 4) + (24 + 6) + (24 + 6) + 12 + 6 * 12 + 6 * 6


def test_hidden_width_is_rounded_down() -> None:
    assert PointwiseBlock(4, 5, 1.5).ffn.project_in.weight.shape == (14, 5, 1, 1)


def test_a_pixel_reads_a_5x5_neighbourhood_only() -> None:
    block = GatedBlock(4, 4, 2)
    x = torch.randn(1, 4, 9, 9, requires_grad=True)
    (reach,) = torch.autograd.grad(block(x)[0, :, 4, 4].sum(), x)
    rows, columns = reach[0].abs().sum(0).nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 6, 2, 6)


def test_autocast_stays_near_float32() -> None:
    block = GatedBlock(16, 16, 2)
    x = torch.randn(1, 16, 20, 20)
    exact = block(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        trained = block(x).detach().float()
        with torch.no_grad():
            used = block(x).float()
    for rough in (trained, used):
        torch.testing.assert_close(rough, exact, rtol=0.03, atol=0.03 * exact.abs().max().item())


def case(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Pointwise]:
    torch.manual_seed(0)
    shapes = (2, 5, 7, 6), (2, 5, 7, 16), (2, 5, 7, 16)
    residual, u, v = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes)
    return residual, u, v, Pointwise(16, 6, bias=False).to(dtype)


def plain(residual: Tensor, u: Tensor, v: Tensor, linear: Pointwise) -> Tensor:
    return residual + linear(F.gelu(u) * v)


@pytest.mark.parametrize("rows", [3, 4096])
def test_output_and_gradients(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", rows)
    arguments = case(torch.float64)
    results = [form(*arguments) for form in (add_gated_linear, plain)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    variables, weight = [*arguments[:3], arguments[3].weight], torch.randn_like(results[0])
    gradients = [torch.autograd.grad((out * weight).sum(), variables) for out in results]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-11, atol=1e-11)


def test_a_weight_that_asks_for_no_gradient_costs_no_product() -> None:
    u, v, residual = torch.randn(30, 12, requires_grad=True), torch.randn(30, 12), torch.randn(30, 5)
    linear, products = Pointwise(12, 5, bias=False), []
    for asks in (True, False):
        linear.weight.requires_grad_(asks)
        with torch.autograd.profiler.profile() as profile:
            (grad,) = torch.autograd.grad(add_gated_linear(residual, u, v, linear).square().sum(), u)
        products.append((sum(event.name == "aten::mm" for event in profile.function_events), grad))
    assert torch.equal(products[0][1], products[1][1])
    assert products[1][0] == products[0][0] - 1


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
