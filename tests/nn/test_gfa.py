"""GFAConv's fast path against PyG message passing, GFALayer against a naive one, GFABlock's graphs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.typing
from torch import Tensor, nn

from glic_pyg.graph import GraphBuilder, WindowGraph, build_graphs, graph_builder, local_cells
from glic_pyg.nn import GFABlock, GFAConv, GFALayer, window_attention
from tests.nn.conftest import GraphMaker

# Heights and widths that are, and are not, multiples of 16 and of 8; one smaller than a cell.
SIZES = [(16, 32), (13, 21), (24, 16), (5, 7)]


def rows_of(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def plain(conv: GFAConv, rows: Tensor, graph: WindowGraph) -> Tensor:
    """The layer by ``edge_index``, ``(B, N, C)`` each way; padding nodes hold noise that must not matter."""
    data = graph.to_data()
    real = (~data.padding).nonzero()[:, 0]
    nodes = torch.randn(data.num_nodes, rows.shape[-1], dtype=rows.dtype).index_copy(
        0, real, rows.flatten(0, 1)
    )
    return conv(nodes, data.edge_index, data.edge_attr, data.padding)[real].view_as(rows)


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference relative to the largest value."""
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_fast_path_equals_plain_path(
    graph_with_isolated_node: GraphMaker, size: tuple[int, int], kind: str, dtype: torch.dtype
) -> None:
    x = torch.randn(2, 12, *size, dtype=dtype)
    graph = graph_with_isolated_node(x, kind)
    conv = GFAConv(12, heads=3).to(dtype)
    rows = rows_of(x).requires_grad_()
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    fast, slow = conv(rows, graph), plain(conv, rows, graph)
    assert difference(fast, slow) < tolerance
    weight = torch.randn_like(fast)
    variables = {"rows": rows, **dict(conv.named_parameters())}
    of_fast = torch.autograd.grad((fast * weight).sum(), list(variables.values()))
    of_slow = torch.autograd.grad((slow * weight).sum(), list(variables.values()))
    for name, a, b in zip(variables, of_fast, of_slow, strict=True):
        assert b.abs().max() > 0, name
        assert difference(a, b) < tolerance, name


def test_plain_path_equals_the_formula() -> None:
    """Node by node and edge by edge, on a small graph that is no window graph."""
    conv = GFAConv(6, heads=2).double()
    torch.nn.init.normal_(conv.log_scale, 2.0)
    x = torch.randn(4, 6, dtype=torch.float64)
    edges = torch.tensor([[1, 2, 3, 0, 3], [0, 0, 0, 1, 2]])
    offsets = torch.tensor([[0, 1], [5, -7], [15, 15], [-3, 4], [2, 2]])
    bias = conv.position_bias(offsets)
    q, (k, v) = conv.to_q(x).view(4, 2, 3), conv.to_kv(x).view(4, 2, 2, 3).unbind(1)
    expected = []
    for node in range(4):
        mine = (edges[1] == node).nonzero().flatten()
        heads = []
        for head in range(2):
            scale = min(conv.log_scale[head].exp().item(), 100)
            cosine = torch.cosine_similarity(q[node, head][None], k[edges[0, mine], head], dim=-1)
            weights = (scale * cosine + bias[mine, head]).softmax(0)
            heads.append(weights @ v[edges[0, mine], head])
        expected.append(torch.cat(heads))
    torch.testing.assert_close(conv(x, edges, offsets), conv.out(torch.stack(expected)), rtol=0, atol=1e-12)


def test_logit_scale_is_limited_to_100() -> None:
    conv = GFAConv(4, heads=2).double()
    x = torch.randn(1, 4, 8, 8, dtype=torch.float64)
    graph = build_graphs(x)["local"]
    outputs = []
    for log_scale in (4.6051, 4.6052, 9.0):
        torch.nn.init.constant_(conv.log_scale, log_scale)
        outputs.append(conv(rows_of(x), graph))
    assert difference(outputs[0], outputs[1]) > 1e-9
    assert difference(outputs[2], outputs[1]) < 1e-4
    assert conv.log_scale.detach().exp().min() > 8000


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_gradients_by_finite_differences(graph_with_isolated_node: GraphMaker, kind: str) -> None:
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    conv = GFAConv(4, heads=2).double()
    graph = graph_with_isolated_node(x, kind)
    weights = (conv.to_q.weight, conv.log_scale, conv.to_kv.bias)
    assert torch.autograd.gradcheck(
        lambda rows, *_: conv(rows, graph), (rows_of(x).requires_grad_(), *weights)
    )


def test_padding_nodes_count_as_candidates_without_content() -> None:
    """A node that also reads a padding node gets less of its own value: that adds weight, not value."""
    x = torch.randn(1, 6, 5, 5, dtype=torch.float64)
    data = build_graphs(x)["local"].to_data()
    padding = int(data.padding.nonzero()[0])
    conv = GFAConv(6, heads=1).double()
    torch.nn.init.zeros_(conv.out.bias)
    nodes = torch.zeros(data.num_nodes, 6, dtype=torch.float64)
    nodes[0] = x[0, :, 0, 0]
    offsets = torch.tensor([[4, 4], [4, 4]])
    alone = conv(nodes, torch.tensor([[0], [0]]), offsets[:1], data.padding)[0]
    both = conv(nodes, torch.tensor([[0, padding], [0, 0]]), offsets, data.padding)[0]
    ratio = both / alone
    torch.testing.assert_close(ratio, ratio[:1].expand(6))
    assert 0 < ratio[0] < 1


def test_same_without_torch_scatter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(1, 6, 8, 16)
    conv, graph = GFAConv(6, heads=2), build_graphs(x)["mesh"]
    with torch.no_grad():
        outputs = []
        for present in (torch_geometric.typing.WITH_TORCH_SCATTER, False):
            monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", present)
            torch.manual_seed(0)
            outputs.append(plain(conv, rows_of(x), graph))
    torch.testing.assert_close(outputs[0], outputs[1])


def test_largest_logits_do_not_overflow() -> None:
    """Scale 100 and bias 16 give logits of 116, whose exponential float32 cannot hold."""
    conv = GFAConv(4, heads=1)
    torch.nn.init.constant_(conv.log_scale, 9.0)
    x = torch.randn(1, 4, 8, 8)
    graph = build_graphs(x)["local"]
    assert plain(conv, rows_of(x), graph).isfinite().all()
    assert conv(rows_of(x), graph).isfinite().all()


def test_autocast_stays_near_float32() -> None:
    x = torch.randn(1, 16, 16, 16)
    conv, graph = GFAConv(16, heads=4), build_graphs(x)["local"]
    rows = rows_of(x).requires_grad_()
    exact = conv(rows, graph)
    with torch.autocast("cpu", torch.bfloat16):
        rough = conv(rows, graph)
    assert difference(rough.float(), exact) < 0.05
    weight = torch.randn_like(exact)
    exact_grad, rough_grad = (
        torch.autograd.grad((o.float() * weight).sum(), rows)[0] for o in (exact, rough)
    )
    assert difference(rough_grad, exact_grad) < 0.1


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("kernels", ["1", "0"])
def test_nodes_of_all_maps_in_one_list(kind: str, kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """x as every layer of PyG takes it."""
    monkeypatch.setenv("GLIC_KERNELS", kernels)
    x = torch.randn(2, 32, 24, 40)
    graph, conv, rows = build_graphs(x)[kind], GFAConv(32, 4), rows_of(x)
    residual = torch.randn_like(rows)
    expected = conv(rows, graph, residual=residual)
    found = conv(rows.flatten(0, 1), graph, residual=residual.flatten(0, 1))
    assert torch.equal(found, expected.flatten(0, 1))


def test_x_that_does_not_fit_its_graph_is_refused() -> None:
    x = torch.randn(2, 32, 24, 40)
    graph, conv = build_graphs(x)["mesh"], GFAConv(32, 4)
    shapes = [(3, 960, 32), (1, 960, 32), (2, 100, 32), (960, 32), (2 * 960 + 1, 32), (2, 24, 40, 32), (32,)]
    for shape in shapes:
        with pytest.raises(ValueError, match=r"2 maps of 24x40: give \(2, 960, C\) or \(1920, C\)"):
            conv(torch.randn(shape), graph)
    data = build_graphs(torch.randn(1, 4, 13, 21))["local"].to_data()
    with pytest.raises(ValueError, match=r"without the padding nodes: x\[~data.padding\]"):
        conv(torch.randn(data.num_nodes, 32), WindowGraph.from_data(data))


def test_graph_and_x_are_on_one_device() -> None:
    x = torch.randn(1, 8, 8, 8)
    with pytest.raises(ValueError, match=r"x is on cpu, its graph on meta: move it with graph.to\(device\)"):
        GFAConv(8, 2)(rows_of(x), build_graphs(x)["local"].to("meta"))


def test_what_belongs_to_the_other_path_is_refused() -> None:
    x = torch.randn(1, 8, 8, 8)
    conv, graph, rows = GFAConv(8, 2), build_graphs(x)["local"], rows_of(x)
    data = graph.to_data()
    for extra in ({"edge_attr": data.edge_attr}, {"padding": data.padding}):
        with pytest.raises(ValueError, match="go with an edge_index"):
            conv(rows, graph, **extra)
    with pytest.raises(ValueError, match="residual"):
        conv(rows, graph, residual=rows[0])
    nodes = torch.randn(data.num_nodes, 8)
    for wrong in ((rows, data.edge_index, data.edge_attr), (nodes, data.edge_index, data.edge_attr[1:])):
        with pytest.raises(ValueError, match="along an edge_index"):
            conv(*wrong)
    with pytest.raises(ValueError, match="padding is bool"):
        conv(nodes, data.edge_index, data.edge_attr, data.padding[1:])


def test_windows_beyond_the_position_bias_are_refused() -> None:
    cells = local_cells(16, 16, window_side=24)
    graph = WindowGraph(cells, torch.ones(1, 4, 64, 576, dtype=torch.bool), torch.ones(1, 4, 64))
    with pytest.raises(ValueError, match="offsets from -7 to 15, got -7 to 23"):
        GFAConv(8, 2)(torch.randn(1, 256, 8), graph)


@pytest.mark.parametrize("kernels", ["1", "0"])
@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_an_isolated_node_reads_nothing_on_both_paths(
    graph_with_isolated_node: GraphMaker, kind: str, kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIC_KERNELS", kernels)
    x = torch.randn(2, 12, 13, 21)
    graph, conv, rows = graph_with_isolated_node(x, kind), GFAConv(12, heads=3), rows_of(x).requires_grad_()
    alone = ~graph.mask.flatten(1, 2)[:, graph.cells.slots].any(-1)
    assert alone.sum() == 1
    for out in (conv(rows, graph), plain(conv, rows, graph)):
        assert torch.equal(out[alone][0], conv.out.bias)
        gradient = torch.autograd.grad(out[alone].sum(), rows)[0]
        assert not gradient.any()


def test_float16_is_computed_in_float32() -> None:
    """Its smallest number is larger than the least norm, and most zeros have zero rows nearby."""
    x = torch.randn(1, 8, 13, 21)
    x[..., :4] = 0
    graph, conv = build_graphs(x)["local"], GFAConv(8, heads=2)
    q, kv, bias = conv.to_q(rows_of(x)), conv.to_kv(rows_of(x)), torch.rand(2, 64, 256)
    q[:, :5], kv[:, :5] = 0, 0
    scale = torch.tensor([10.0, 20.0])
    exact = window_attention(q, kv, scale, bias, graph)
    half = window_attention(q.half(), kv.half(), scale, bias, graph)
    assert half.dtype == torch.float16
    assert difference(half.float(), exact) < 0.01


def test_heads_must_divide_channels() -> None:
    with pytest.raises(ValueError, match="8 heads do not divide 12 channels"):
        GFAConv(12)


def test_plain_path_asks_for_offsets() -> None:
    with pytest.raises(ValueError, match="edge_attr"):
        GFAConv(4, heads=2)(torch.randn(3, 4), torch.tensor([[0], [1]]))


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
