"""GFAConv has the manners of PyG's convolutions: any edge list, attention weights, export, node types."""

from __future__ import annotations

import copy
import io
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.explain import AttentionExplainer, Explainer
from torch_geometric.nn import MessagePassing, to_hetero
from torch_geometric.utils import to_torch_csc_tensor

from glic_pyg.graph import build_graphs
from glic_pyg.nn import GFAConv
from tests.nn.conftest import difference, on_path


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
