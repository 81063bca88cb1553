"""GFAConv: the fast path equals the plain one, which is PyG message passing."""

from __future__ import annotations

import pytest
import torch
import torch_geometric.typing
from torch import Tensor

from glic_pyg.graph import WindowGraph, build_graphs
from glic_pyg.nn import GFAConv
from tests.nn.conftest import GraphMaker

# Heights and widths that are, and are not, multiples of 16 and of 8; one smaller than a cell.
SIZES = [(16, 32), (13, 21), (24, 16), (5, 7)]


def rows_of(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def plain(conv: GFAConv, rows: Tensor, graph: WindowGraph) -> Tensor:
    """The layer by ``edge_index``, ``(B, N, C)`` each way; phantoms hold noise that must not matter."""
    data = graph.to_data(attended=True)
    real = (~data.phantom).nonzero()[:, 0]
    nodes = torch.randn(data.num_nodes, rows.shape[-1], dtype=rows.dtype).index_copy(
        0, real, rows.flatten(0, 1)
    )
    return conv(nodes, data.edge_index, data.edge_attr, data.phantom)[real].view_as(rows)


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference relative to the largest value."""
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_fast_path_equals_plain_path(
    graph_with_lonely_node: GraphMaker, size: tuple[int, int], kind: str, dtype: torch.dtype
) -> None:
    x = torch.randn(2, 12, *size, dtype=dtype)
    graph = graph_with_lonely_node(x, kind)
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
def test_gradients_by_finite_differences(graph_with_lonely_node: GraphMaker, kind: str) -> None:
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    conv = GFAConv(4, heads=2).double()
    graph = graph_with_lonely_node(x, kind)
    weights = (conv.to_q.weight, conv.log_scale, conv.to_kv.bias)
    assert torch.autograd.gradcheck(
        lambda rows, *_: conv(rows, graph), (rows_of(x).requires_grad_(), *weights)
    )


def test_phantoms_count_as_candidates_without_content() -> None:
    """A node that also reads a phantom gets less of its own value: the phantom adds weight, not value."""
    x = torch.randn(1, 6, 5, 5, dtype=torch.float64)
    data = build_graphs(x)["local"].to_data()
    phantom = int(data.phantom.nonzero()[0])
    conv = GFAConv(6, heads=1).double()
    torch.nn.init.zeros_(conv.out.bias)
    nodes = torch.zeros(data.num_nodes, 6, dtype=torch.float64)
    nodes[0] = x[0, :, 0, 0]
    offsets = torch.tensor([[4, 4], [4, 4]])
    alone = conv(nodes, torch.tensor([[0], [0]]), offsets[:1], data.phantom)[0]
    both = conv(nodes, torch.tensor([[0, phantom], [0, 0]]), offsets, data.phantom)[0]
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


def test_heads_must_divide_channels() -> None:
    with pytest.raises(ValueError, match="8 heads do not divide 12 channels"):
        GFAConv(12)


def test_plain_path_asks_for_offsets() -> None:
    with pytest.raises(ValueError, match="edge_attr"):
        GFAConv(4, heads=2)(torch.randn(3, 4), torch.tensor([[0], [1]]))
