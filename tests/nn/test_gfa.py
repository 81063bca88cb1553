"""GFALayer against a naive one, GFABlock's graphs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glic_pyg.graph import GraphBuilder, WindowGraph, build_graphs, graph_builder
from glic_pyg.nn import GFABlock, GFALayer


def naive_layer(layer: GFALayer, t: Tensor, graph: WindowGraph) -> Tensor:
    """``(B, C, H, W)`` -> the same, with torch's convolutions and norms."""

    def norm(x: Tensor, layer_norm: nn.LayerNorm) -> Tensor:
        weight, bias = layer_norm.weight, layer_norm.bias
        return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], weight, bias, 1e-5).permute(0, 3, 1, 2)

    rows = norm(t, layer.norm_conv).permute(0, 2, 3, 1).flatten(1, 2)
    t = t + layer.conv(rows, graph).mT.reshape(t.shape)
    hidden = F.conv2d(norm(t, layer.norm_ffn), layer.project_in.weight)
    u, v = F.conv2d(hidden, layer.depthwise.weight, padding=1, groups=hidden.shape[1]).chunk(2, 1)
    return t + F.conv2d(F.gelu(u) * v, layer.project_out.weight)


def with_random_weights(module: nn.Module) -> nn.Module:
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=0.4)
    return module


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_layer_equals_the_composition(kind: str) -> None:
    x = torch.randn(2, 6, 16, 20, dtype=torch.float64)
    graph, layer = build_graphs(x)[kind], with_random_weights(GFALayer(6, 2, heads=2))
    variables = [x.requires_grad_(), *layer.parameters()]
    results = [layer(x.permute(0, 2, 3, 1), graph).permute(0, 3, 1, 2), naive_layer(layer, x, graph)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(results[0])
    gradients = [torch.autograd.grad((out * weight).sum(), variables) for out in results]
    for got, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_block_alternates_local_and_mesh_and_keeps_its_graphs() -> None:
    """Five layers on the two graphs of the block's input, without a residual around them."""
    x = torch.randn(2, 6, 16, 16, dtype=torch.float64)
    graphs, block = build_graphs(x), with_random_weights(GFABlock(6, 2, heads=2))
    expected = x
    for layer, kind in zip(block.layers, ["local", "mesh", "local", "mesh", "local"], strict=True):
        expected = naive_layer(layer, expected, graphs[kind])
    torch.testing.assert_close(block(x), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (13, 21)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_block_takes_any_size(size: tuple[int, int]) -> None:
    x = torch.randn(2, 4, *size)
    out = GFABlock(4, 2, depth=2, heads=2)(x)
    assert out.shape == x.shape
    assert out.isfinite().all()


def test_graphs_are_built_without_gradient() -> None:
    seen: list[Tensor] = []

    def builder(x: Tensor) -> dict[str, WindowGraph]:
        seen.append(x)
        return build_graphs(x)

    block = GFABlock(4, 2, depth=3, heads=2, builder=builder)  # type: ignore[arg-type]
    block(torch.randn(1, 4, 8, 8, requires_grad=True)).sum().backward()
    assert len(seen) == 1 and not seen[0].requires_grad


def test_builder_settings_reach_the_graph() -> None:
    x = torch.randn(1, 6, 16, 16, dtype=torch.float64)
    block = with_random_weights(GFABlock(6, 2, depth=1, heads=2, builder=GraphBuilder(mean_degree=8)))
    expected = naive_layer(block.layers[0], x, build_graphs(x, mean_degree=8)["local"])
    torch.testing.assert_close(block(x), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_a_block_of_one_kind_uses_it_in_every_layer(kind: str) -> None:
    x = torch.randn(1, 6, 16, 16, dtype=torch.float64)
    builder = GraphBuilder(kinds=(kind,))  # type: ignore[arg-type]
    block = with_random_weights(GFABlock(6, 2, depth=2, heads=2, builder=builder))
    expected, graph = x, build_graphs(x)[kind]
    for layer in block.layers:
        expected = naive_layer(layer, expected, graph)
    torch.testing.assert_close(block(x), expected, rtol=1e-11, atol=1e-11)


def test_every_parameter_gets_a_gradient() -> None:
    block = GFABlock(8, 2, depth=2, heads=2)
    block(torch.randn(1, 8, 8, 12)).square().sum().backward()
    idle = [name for name, p in block.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize("kind", ["mesh", "union"])
def test_a_graph_of_other_maps_is_refused(kind: str) -> None:
    """As many nodes, but another shape or another number of maps."""
    builder = graph_builder(["union"]) if kind == "union" else graph_builder()
    graph, layer = builder(torch.randn(2, 8, 16, 24))[kind], GFALayer(8, 2, heads=2)
    layer(torch.randn(2, 16, 24, 8), graph)
    for shape in ((2, 24, 16, 8), (1, 16, 24, 8), (3, 16, 24, 8)):
        with pytest.raises(ValueError, match="fit a graph"):
            layer(torch.randn(shape), graph)
