"""Attention along edges: by C, in chunks by torch operators, and by autograd of the formula, all equal."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.utils import softmax

from benchmarks.decoder_settings import threads
from glic_pyg import kernels
from glic_pyg.kernels.library import load, usable_libraries
from glic_pyg.nn import edge_attention
from glic_pyg.nn.edge_attention import EDGES_AT_ONCE, attend_in_chunks, compressed

Case = tuple[Tensor, ...]
NAMES = ("q", "k", "v", "table")
needs_kernels = pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled")


def case(
    nodes: int = 50, sources: int = 70, heads: int = 2, width: int = 24, *, most: int = 40, entries: int = 9
) -> Case:
    """q, k, v, table, ptr, source, entry; degrees from 0 to most, node 0 and the last one isolated."""
    degrees = torch.randint(0, most + 1, (nodes,))
    degrees[[0, -1]] = 0
    ptr = torch.cat([torch.zeros(1, dtype=torch.long), degrees.cumsum(0)])
    count = int(ptr[-1])
    q, (k, v) = 3 * torch.randn(nodes, heads, width), torch.randn(2, sources, heads, width)
    ids = torch.randint(0, sources, (count,)), torch.randint(0, entries, (count,))
    return q, k, v, 16 * torch.rand(entries, heads), ptr, *ids


def formula(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor | None, ptr: Tensor, source: Tensor, entry: Tensor | None
) -> Tensor:
    target = torch.repeat_interleave(ptr.diff())
    logits = (q[target] * k[source]).sum(-1)
    logits = logits if table is None else logits + table[entry]
    weights = softmax(logits, target, num_nodes=len(q))
    return torch.zeros_like(q).index_add(0, target, weights[..., None] * v[source])


def with_gradients(attend: object, arguments: Case, grad: Tensor, dtype: torch.dtype) -> list[Tensor]:
    floats = [None if t is None else t.to(dtype).requires_grad_() for t in arguments[:4]]
    ptr, source, entry = arguments[4:]
    if attend is edge_attention:
        out = edge_attention(*floats[:3], ptr, source, floats[3], entry)
    else:
        out = formula(*floats, ptr, source, entry)
    leaves = [t for t in floats if t is not None]
    return [out.detach(), *torch.autograd.grad((out * grad.to(dtype)).sum(), leaves)]


def relative_error(found: Tensor, exact: Tensor) -> float:
    return float((found.double() - exact).abs().max() / exact.abs().max().clamp_min(1e-30))


@pytest.mark.parametrize("path", [pytest.param("C", marks=needs_kernels), "torch"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("width", [1, 7, 24, 40, 57, 100])
def test_equals_the_formula(
    width: int, biased: bool, dtype: torch.dtype, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In output and in every gradient; 57 and 100 features a head are rounded up to whole registers."""
    monkeypatch.setenv("GLIC_KERNELS", "1" if path == "C" else "0")
    monkeypatch.setitem(EDGES_AT_ONCE, "cpu", 64)
    arguments = case(width=width)
    if not biased:
        arguments = *arguments[:3], None, *arguments[4:6], None  # type: ignore[assignment]
    grad = torch.randn_like(arguments[0])
    exact = with_gradients(formula, arguments, grad, torch.float64)
    found = with_gradients(edge_attention, arguments, grad, dtype)
    for name, one, other in zip(("out", *NAMES), found, exact, strict=False):
        assert one.dtype == dtype
        assert relative_error(one, other) < (1e-9 if dtype == torch.float64 else 1e-4), name


def test_finite_differences() -> None:
    arguments = case(4, 5, 2, 3, most=3, entries=2)
    floats = [t.double().requires_grad_() for t in arguments[:4]]
    ptr, source, entry = arguments[4:]
    assert torch.autograd.gradcheck(lambda q, k, v, b: edge_attention(q, k, v, ptr, source, b, entry), floats)


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a node has more edges than a chunk."""
    arguments = case()
    expected = attend_in_chunks(*arguments)
    for at_once in (1, 17, 100):
        monkeypatch.setitem(EDGES_AT_ONCE, "cpu", at_once)
        torch.testing.assert_close(attend_in_chunks(*arguments), expected)


@needs_kernels
def test_kernel_and_twin_agree_on_what_they_keep() -> None:
    arguments = case()
    for found, expected in zip(kernels.edge_attention(*arguments), attend_in_chunks(*arguments), strict=True):
        linked = arguments[4].diff() > 0
        pick = linked if len(found) == len(linked) else (slice(None), linked)
        torch.testing.assert_close(found[pick], expected[pick], rtol=1e-4, atol=1e-5)


@needs_kernels
def test_threads_do_not_matter() -> None:
    arguments = case(300, 300)
    results = []
    for count in (1, 2, 3):
        with threads(count):
            out, lse = kernels.edge_attention(*arguments)
            results.append([out, lse, *kernels.edge_attention_backward(out, *arguments, out, lse)])
    for one, two, three in zip(*results, strict=True):
        assert torch.equal(one, two) and torch.equal(one, three)


@needs_kernels
def test_every_level_that_this_cpu_has() -> None:
    """The levels below this CPU's own are what other machines run."""
    arguments = case()
    out, lse = kernels.edge_attention(*arguments)
    expected = [out, *kernels.edge_attention_backward(out, *arguments, out, lse)]
    for functions in map(load, usable_libraries()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels.library, "functions", lambda functions=functions: functions)
            found, lse = kernels.edge_attention(*arguments)
            found = [found, *kernels.edge_attention_backward(out, *arguments, out, lse)]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", [pytest.param("C", marks=needs_kernels), "torch"])
def test_extremes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits beyond what an exponential can hold, NaN, and half precision."""
    monkeypatch.setenv("GLIC_KERNELS", "1" if path == "C" else "0")
    q, k, v, table, ptr, source, entry = case()
    for scale in (1e3, -1e3):
        out = edge_attention(q * scale, k, v, ptr, source, table, entry)
        torch.testing.assert_close(out, formula(q * scale, k, v, table, ptr, source, entry))
    low = edge_attention(q.half(), k.half(), v.half(), ptr, source, table.half(), entry)
    assert low.dtype == torch.float16
    torch.testing.assert_close(low.float(), formula(q, k, v, table, ptr, source, entry), rtol=0.02, atol=0.02)
    node = int(ptr.diff().argmax())
    q[node, 0, 0] = torch.nan
    out = edge_attention(q, k, v, ptr, source, table, entry)
    assert out[node, 0].isnan().all() and out.isnan().sum() == out.shape[-1]


@needs_kernels
def test_ids_out_of_range_do_not_reach_the_kernel() -> None:
    arguments = case()
    q, *_, ptr, source, entry = arguments
    for place, wrong in ((5, source + 70), (5, source - 70), (6, entry + 9), (4, ptr + 1), (4, ptr.flip(0))):
        changed = [wrong if i == place else t for i, t in enumerate(arguments)]
        with pytest.raises(ValueError, match=r"is known|must rise"):
            kernels.edge_attention(*changed)
        with pytest.raises(ValueError, match=r"is known|must rise"):
            kernels.edge_attention_backward(q, *changed, q, q.new_zeros(2, len(q)))


def test_what_does_not_fit_is_refused() -> None:
    q, k, v, table, ptr, source, _ = case()
    with pytest.raises(ValueError, match="give both or neither"):
        edge_attention(q, k, v, ptr, source, table)
    for bad in ((q, k[1:], v), (q, k.double(), v), (q[:, :1], k, v), (q[..., 0], k[..., 0], v[..., 0])):
        with pytest.raises(ValueError, match="are needed"):
            edge_attention(*bad, ptr, source)


def test_compressed() -> None:
    edges = torch.tensor([[4, 1, 0, 2, 2], [3, 0, 3, 0, 1]])
    ptr, source, order = compressed(edges, 5, 6)
    assert ptr.tolist() == [0, 2, 3, 3, 5, 5, 5]
    assert order is not None and torch.equal(source, edges[0, order]) and source.tolist() == [1, 2, 2, 4, 0]
    ptr, source, order = compressed(edges[:, order], 5, 6)
    assert order is None and source.tolist() == [1, 2, 2, 4, 0]
    index = EdgeIndex(edges, sparse_size=(5, 6)).sort_by("col").values
    assert compressed(index, 5, 6)[2] is None
