"""GFAConv: its three ways of computing are equal, and it has the manners of PyG's convolutions."""

from __future__ import annotations

import copy
import io
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch_geometric.typing
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.explain import AttentionExplainer, Explainer
from torch_geometric.nn import MessagePassing, to_hetero
from torch_geometric.utils import to_torch_csc_tensor

from glic_pyg.graph import WindowGraph, build_graphs, local_cells
from glic_pyg.nn import GFAConv, window_attention
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


@pytest.fixture(params=["C", "torch", "messages"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How attention along an ``edge_index`` is computed: see :func:`on_path`."""
    monkeypatch.setenv("GLIC_KERNELS", "0" if request.param == "torch" else "1")
    return str(request.param)


def on_path(conv: GFAConv, path: str) -> GFAConv:
    conv.fused = path != "messages"
    return conv


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference relative to the largest value."""
    return ((a - b).abs().max() / b.abs().max()).item()


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


@pytest.fixture
def edges() -> tuple[Tensor, Tensor]:
    """An edge_index of 40 edges from 12 to 9 nodes, sorted by target, and offsets; node 4 is isolated."""
    target = torch.randint(0, 8, (40,)).sort().values
    target += target >= 4
    return torch.stack([torch.randint(0, 12, (40,)), target]), torch.randint(-7, 16, (40, 2))


def with_gradients(conv: GFAConv, *arguments: Any, **options: Any) -> list[Tensor]:
    out = conv(*arguments, **options)
    leaves = [p for p in conv.parameters() if p.requires_grad]
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    grads = torch.autograd.grad((out * weight).sum(), leaves, allow_unused=True)
    return [out, *(g for g in grads if g is not None)]


def assert_equal(found: list[Tensor], expected: list[Tensor], tolerance: float = 1e-9) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert difference(one, other) < tolerance


@pytest.mark.parametrize("offsets", [True, False])
def test_bipartite(edges: tuple[Tensor, Tensor], path: str, offsets: bool) -> None:
    """Sources and targets of different widths and numbers; the same as among the nodes of one graph."""
    edge_index, edge_attr = edges[0], edges[1] if offsets else None
    conv = on_path(GFAConv((5, 7), 6, heads=2).double(), path)
    sources, targets = torch.randn(12, 5).double(), torch.randn(9, 7).double()
    out = conv((sources, targets), edge_index, edge_attr)
    assert out.shape == (9, 6)
    q, *_ = conv.heads_of(sources, target=targets)
    _, k, v = conv.heads_of(sources, target=targets)
    for node in range(9):
        mine = edge_index[1] == node
        logits = (q[node] * k[edge_index[0, mine]]).sum(-1)
        if edge_attr is not None:
            logits = logits + conv.position_bias(edge_attr[mine])
        mixed = (logits.softmax(0)[..., None] * v[edge_index[0, mine]]).sum(0)
        torch.testing.assert_close(out[node], conv.out(mixed.flatten()), rtol=0, atol=1e-12)
    assert torch.equal(out[4], conv.out.bias)


def test_edges_in_any_order_and_form(edges: tuple[Tensor, Tensor], path: str) -> None:
    edge_index, edge_attr = edges
    conv = on_path(GFAConv(6, heads=2).double(), path)
    x = torch.randn(12, 6).double()
    expected = with_gradients(conv, x, edge_index, edge_attr)
    order = torch.randperm(40)
    assert_equal(
        with_gradients(conv, x, edge_index=edge_index[:, order], edge_attr=edge_attr[order]), expected
    )
    index = EdgeIndex(edge_index, sparse_size=(12, 12), sort_order="col")
    assert_equal(with_gradients(conv, x, index, edge_attr), expected)
    index = EdgeIndex(edge_index[:, order], sparse_size=(12, 12))
    assert_equal(with_gradients(conv, x, index, edge_attr[order]), expected)
    backwards = on_path(GFAConv(6, heads=2, flow="target_to_source").double(), path)
    backwards.load_state_dict(conv.state_dict())
    assert_equal(with_gradients(backwards, x, edge_index.flip(0), edge_attr), expected)


@pytest.mark.filterwarnings("ignore:Sparse")
def test_sparse_adjacency() -> None:
    edge_index = torch.tensor([[1, 2, 0, 3], [0, 0, 1, 3]])
    conv, x = GFAConv(6, heads=2), torch.randn(4, 6)
    adjacency = to_torch_csc_tensor(edge_index, size=(4, 4)).t()
    torch.testing.assert_close(conv(x, adjacency), conv(x, edge_index))


def test_a_graph_without_edges(path: str) -> None:
    conv, x = on_path(GFAConv(6, heads=2), path), torch.randn(5, 6, requires_grad=True)
    out = conv(x, torch.empty(2, 0, dtype=torch.long), torch.empty(0, 2, dtype=torch.long))
    assert torch.equal(out, conv.out.bias.expand(5, 6))
    out.sum().backward()
    assert x.grad is None or not x.grad.any()


def test_attention_weights(edges: tuple[Tensor, Tensor]) -> None:
    edge_index, edge_attr = edges
    conv, x = GFAConv(6, heads=2).double(), torch.randn(12, 6).double()
    out, (index, alpha) = conv(x, edge_index, edge_attr, return_attention_weights=True)
    torch.testing.assert_close(out, conv(x, edge_index, edge_attr), rtol=0, atol=1e-12)
    assert index is edge_index and alpha.shape == (40, 2)
    sums = torch.zeros(12, 2).double().index_add(0, edge_index[1], alpha)
    torch.testing.assert_close(
        sums, (edge_index[1].bincount(minlength=12) > 0)[:, None].double().expand(12, 2)
    )


def test_the_fast_path_stays_until_somebody_looks(
    edges: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of PyG's message passing runs unless weights, dropout, a hook or a subclass asks for it."""
    calls: list[str] = []
    for name in ("edge_updater", "propagate"):
        inner = getattr(MessagePassing, name)
        monkeypatch.setattr(
            GFAConv, name, lambda self, *a, n=name, f=inner, **k: calls.append(n) or f(self, *a, **k)
        )
    monkeypatch.setattr(GFAConv, "_set_jittable_templates", lambda self: None)
    x, conv = torch.randn(12, 6), GFAConv(6, heads=2, dropout=0.5)

    def called(conv: GFAConv, **options: Any) -> bool:
        calls.clear()
        conv(x, *edges, **options)
        return bool(calls)

    assert called(conv) and not called(conv.eval())
    assert called(conv, return_attention_weights=True)
    handle = conv.register_message_forward_hook(lambda *_: None)
    assert called(conv)
    handle.remove()
    assert not called(conv)
    conv.explain = True
    conv._edge_mask, conv._apply_sigmoid = torch.ones(40), False
    assert called(conv)
    conv.explain = None
    conv.fused = False
    assert called(conv)

    class Louder(GFAConv):
        def message(self, v_j: Tensor, alpha: Tensor) -> Tensor:
            return 2 * super().message(v_j, alpha)

    louder = Louder(6, heads=2).eval()
    louder.load_state_dict(conv.state_dict())
    assert called(louder)
    conv.fused = True
    mixed, twice = (c(x, *edges) - c.out.bias for c in (conv, louder))
    torch.testing.assert_close(2 * mixed, twice, rtol=1e-4, atol=1e-5)


def test_dropout_keeps_the_mean() -> None:
    conv = GFAConv(4, heads=1, dropout=0.25)
    x, edges = torch.randn(2, 4), torch.tensor([[0, 1], [0, 0]])
    with torch.no_grad():
        draws = torch.stack([conv(x, edges) for _ in range(2000)])
    assert draws.std(0)[0].max() > 0.01
    torch.testing.assert_close(draws.mean(0), conv.eval()(x, edges), rtol=0, atol=0.05)


def test_attention_explainer(edges: tuple[Tensor, Tensor]) -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.classify = GFAConv(6, heads=2), torch.nn.Linear(6, 3)

        def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None = None) -> Tensor:
            return self.classify(self.conv(x, edge_index, edge_attr))

    x, model = torch.randn(12, 6), Model()
    explainer = Explainer(
        model,
        AttentionExplainer(reduce="mean"),
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"},
    )
    node = int(edges[0][1, 0])
    mask = explainer(x, edges[0], edge_attr=edges[1], index=node).edge_mask
    _, (_, alpha) = model.conv(x, *edges, return_attention_weights=True)
    mine = edges[0][1] == node
    torch.testing.assert_close(mask[mine], alpha.mean(1)[mine])
    assert ((mask == alpha.mean(1)) | (mask == 0)).all() and (mask == 0).any()


def test_exported_for_any_number_of_nodes_and_edges(edges: tuple[Tensor, Tensor]) -> None:
    conv = GFAConv(6, heads=2).eval()
    nodes, count = torch.export.Dim("nodes", min=2), torch.export.Dim("edges", min=2)
    shapes = {"x": {0: nodes}, "edge_index": {1: count}, "edge_attr": {0: count}}
    with torch.no_grad():
        program = torch.export.export(conv, (torch.randn(12, 6), *edges), dynamic_shapes=shapes)
    x, edge_index = torch.randn(30, 6), torch.randint(0, 30, (2, 99))
    edge_attr = torch.randint(-7, 16, (99, 2))
    torch.testing.assert_close(program.module()(x, edge_index, edge_attr), conv(x, edge_index, edge_attr))


def test_weights_keep_their_names_and_are_drawn_anew() -> None:
    conv = GFAConv(6, heads=2)
    names = ["log_scale", "to_q.weight", "to_q.bias", "to_kv.weight", "to_kv.bias", "out.weight", "out.bias"]
    names += [f"position_bias.mlp.{name}" for name in ("0.weight", "0.bias", "2.weight")]
    assert set(conv.state_dict()) == set(names)
    before = copy.deepcopy(conv.state_dict())
    torch.nn.init.zeros_(conv.log_scale)
    conv.reset_parameters()
    after = conv.state_dict()
    assert torch.equal(before.pop("log_scale"), after["log_scale"])
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_channels_of_the_first_call(edges: tuple[Tensor, Tensor]) -> None:
    conv = GFAConv((-1, -1), 6, heads=2)
    assert conv((torch.randn(12, 5), torch.randn(9, 7)), *edges).shape == (9, 6)
    assert conv.to_q.weight.shape == (6, 7) and conv.to_kv.weight.shape == (12, 5)


def test_on_a_heterogeneous_graph() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GFAConv((-1, -1), 6, heads=2)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return self.conv(x, edge_index)

    kinds = [("a", "local", "a"), ("a", "up", "b")]
    model = to_hetero(Model(), (["a", "b"], kinds))
    edges = {kind: torch.randint(0, 5, (2, 20)) for kind in kinds}
    found = model({"a": torch.randn(5, 4), "b": torch.randn(5, 3)}, edges)
    assert found["a"].shape == found["b"].shape == (5, 6)


def test_repr_saving_and_copying(edges: tuple[Tensor, Tensor]) -> None:
    conv, x = GFAConv(6, heads=2), torch.randn(12, 6)
    assert repr(conv) == "GFAConv(6, 6, heads=2)"
    assert repr(GFAConv((3, 4), 8, heads=2, dropout=0.1)) == "GFAConv((3, 4), 8, heads=2, dropout=0.1)"
    file = io.BytesIO()
    torch.save(conv, file)
    file.seek(0)
    for other in (copy.deepcopy(conv), torch.load(file, weights_only=False)):
        assert torch.equal(other(x, *edges), conv(x, *edges))


def test_edges_that_do_not_fit_are_refused(edges: tuple[Tensor, Tensor]) -> None:
    edge_index, edge_attr = edges
    conv, x = GFAConv(6, heads=2), torch.randn(12, 6)
    for node in (-1, 12):
        wrong = edge_index.clone()
        wrong[0, 3] = node
        with pytest.raises(ValueError, match="x has rows 0 to 11"):
            conv(x, wrong, edge_attr)
        with pytest.raises(ValueError, match="x has rows 0 to 11"):
            conv(x, wrong.flip(0))
    with pytest.raises(ValueError, match="offsets from -7 to 15"):
        conv(x, edge_index, edge_attr + 100)
    with pytest.raises(ValueError, match=r"a dropout of 1\.5"):
        GFAConv(6, heads=2, dropout=1.5)
    graph = build_graphs(torch.randn(1, 6, 8, 8))["local"]
    with pytest.raises(ValueError, match="no weights per edge"):
        conv(torch.randn(64, 6), graph, return_attention_weights=True)
    with pytest.raises(ValueError, match="no weights per edge"):
        GFAConv(6, heads=2, dropout=0.5)(torch.randn(64, 6), graph)


def test_memory_does_not_grow_with_the_messages() -> None:
    """What autograd keeps for the backward pass: rows of nodes and ids of edges, no row an edge."""
    nodes, channels = 200, 32
    conv, x = GFAConv(channels, heads=2), torch.randn(nodes, channels)
    kept = []
    for degree in (10, 60):
        edge_index = torch.stack(
            [torch.randint(0, nodes, (nodes * degree,)), torch.arange(nodes * degree) // degree]
        )
        edge_attr, sizes = torch.zeros(nodes * degree, 2, dtype=torch.long), dict[int, int]()

        def note(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            conv(x, edge_index, edge_attr)
        kept.append(sum(sizes.values()))
    (growth,) = (more - less for less, more in pairwise(kept))
    assert growth < 50 * nodes * 40  # bytes an edge; a message has 128
