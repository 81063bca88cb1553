"""GFAConv: its three ways of computing are equal, on windows and along edges."""

from __future__ import annotations

import pytest
import torch
import torch_geometric.typing
from torch import Tensor

from glic_pyg.graph import WindowGraph, build_graphs, local_cells
from glic_pyg.nn import GFAConv, window_attention
from tests.nn.conftest import GraphMaker, difference, on_path

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


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_windows_equal_edges(
    graph_with_isolated_node: GraphMaker, size: tuple[int, int], kind: str, dtype: torch.dtype, path: str
) -> None:
    x = torch.randn(2, 12, *size, dtype=dtype)
    graph = graph_with_isolated_node(x, kind)
    conv = on_path(GFAConv(12, heads=3).to(dtype), path)
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


def test_edges_equal_the_formula(path: str) -> None:
    """Node by node and edge by edge, on a small graph that is no window graph."""
    conv = on_path(GFAConv(6, heads=2).double(), path)
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


@pytest.mark.parametrize("fused", [True, False])
def test_same_without_torch_scatter(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIC_KERNELS", "0")
    x = torch.randn(1, 6, 8, 16)
    conv, graph = GFAConv(6, heads=2), build_graphs(x)["mesh"]
    conv.fused = fused
    results = []
    for present in (torch_geometric.typing.WITH_TORCH_SCATTER, False):
        monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", present)
        torch.manual_seed(0)
        out = plain(conv, rows_of(x), graph)
        results.append([out, *torch.autograd.grad(out.square().sum(), conv.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


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
    graph, conv, rows = build_graphs(x)[kind], GFAConv(32, heads=4), rows_of(x)
    residual = torch.randn_like(rows)
    expected = conv(rows, graph, residual=residual)
    found = conv(rows.flatten(0, 1), graph, residual=residual.flatten(0, 1))
    assert torch.equal(found, expected.flatten(0, 1))


def test_x_that_does_not_fit_its_graph_is_refused() -> None:
    x = torch.randn(2, 32, 24, 40)
    graph, conv = build_graphs(x)["mesh"], GFAConv(32, heads=4)
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
        GFAConv(8, heads=2)(rows_of(x), build_graphs(x)["local"].to("meta"))


def test_what_belongs_to_the_other_path_is_refused() -> None:
    x = torch.randn(1, 8, 8, 8)
    conv, graph, rows = GFAConv(8, heads=2), build_graphs(x)["local"], rows_of(x)
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
        GFAConv(8, heads=2)(torch.randn(1, 256, 8), graph)


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_an_isolated_node_reads_nothing_on_all_paths(
    graph_with_isolated_node: GraphMaker, kind: str, path: str
) -> None:
    x = torch.randn(2, 12, 13, 21)
    graph, conv, rows = graph_with_isolated_node(x, kind), GFAConv(12, heads=3), rows_of(x).requires_grad_()
    on_path(conv, path)
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


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_without_padding_nodes(kind: str, path: str) -> None:
    x = torch.randn(2, 12, 13, 21)
    graph, conv = build_graphs(x, padding=False)[kind], on_path(GFAConv(12, heads=3), path)
    torch.testing.assert_close(plain(conv, rows_of(x), graph), conv(rows_of(x), graph), rtol=1e-4, atol=1e-5)
