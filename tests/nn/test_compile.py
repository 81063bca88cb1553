"""Compiled blocks compute what they do eagerly, forward and backward: the kernels in C are operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from glic_pyg import kernels
from glic_pyg.graph import build_graphs, graph_builder
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GatedBlock, GFABlock
from tests.models.conftest import TINY

pytestmark = [
    pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled"),
    # torch's own, while it traces and lowers
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]
BACKENDS = ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)]

# 16 channels are the fewest that all kernels take.
SMALL = TINY | {"widths": (16, 16, 16, 16), "gfa_depth": 1, "gfa_expansions": (2, 2)}


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


def check_equal(module: nn.Module, x: Tensor, **options: object) -> nn.Module:
    """Results and all gradients; the compiled module."""
    compiled = torch.compile(module, **options)  # type: ignore[call-overload]
    results = []
    for run in (module, compiled):
        leaf = x.clone().requires_grad_()
        out = run(leaf)
        weights = torch.linspace(-1, 1, out.numel()).view_as(out)
        gradients = torch.autograd.grad((out * weights).sum(), [leaf, *module.parameters()])
        results.append([out.detach(), *gradients])
    for eager, found in zip(*results, strict=True):
        torch.testing.assert_close(found, eager, rtol=1e-4, atol=1e-5 * eager.abs().max().item())
    return compiled


@pytest.mark.parametrize("backend", BACKENDS)
def test_gated_block_is_one_graph(backend: str) -> None:
    block, x = GatedBlock(16, 24, 2), torch.randn(2, 16, 12, 16)
    compiled = check_equal(block, x, backend=backend, fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), block(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gfa_block_breaks_at_the_graphs_only(backend: str) -> None:
    block, x = GFABlock(16, 2, depth=2, heads=2), torch.randn(2, 16, 12, 16)
    compiled = check_equal(block, x, backend=backend)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), block(x), rtol=1e-4, atol=1e-5)
    assert len(counters["graph_break"]) == 1 and "function outside" in next(iter(counters["graph_break"]))


def test_block_on_edges() -> None:
    """The edges are brought in order, and checked, outside of what is compiled."""
    block, x = GFABlock(16, 2, depth=2, heads=2, builder=graph_builder(["union"])), torch.randn(2, 16, 12, 16)
    check_equal(block, x, backend="aot_eager")


@pytest.mark.parametrize(
    "options",
    [
        {"backend": "aot_eager", "dynamic": False},
        pytest.param({"backend": "aot_eager"}, marks=pytest.mark.slow),
        pytest.param({"backend": "inductor", "dynamic": False}, marks=pytest.mark.slow),
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
@pytest.mark.parametrize(("name", "shape"), [("g_a", (1, 3, 64, 128)), ("g_s", (1, 16, 4, 8))])
def test_whole_transforms(name: str, shape: tuple[int, ...], options: dict[str, object]) -> None:
    check_equal(getattr(GLIC(**SMALL), name), torch.rand(shape), **options)


def attention_arguments() -> tuple[Tensor, ...]:
    graph = build_graphs(torch.randn(2, 4, 8, 8))["local"]
    q, kv, bias = torch.randn(2, 64, 8), torch.randn(2, 64, 16), torch.rand(2, 64, 256)
    return q, kv, torch.ones(2), bias, *graph.attention_rows


def edge_arguments() -> tuple[Tensor, ...]:
    q, (k, v), table = torch.randn(4, 2, 8), torch.randn(2, 5, 2, 8), torch.rand(3, 2)
    ptr, source, entry = torch.tensor([0, 2, 2, 3, 6]), torch.arange(6) % 5, torch.arange(6) % 3
    return q, k, v, table, ptr, source, entry


def edge_backward_arguments() -> tuple[Tensor, ...]:
    q, *others = edge_arguments()
    return q, q, *others, *kernels.edge_attention(q, *others)


def maps(*shapes: tuple[int, ...]) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: tuple(torch.randn(shape) for shape in shapes)


def similarities() -> tuple[Tensor, Tensor]:
    """Of three nodes of two cells, and the degrees that they are to have."""
    return torch.randn(2, 3, 16), torch.tensor([[1.0, 5.0, 16.0], [0.0, 3.0, 8.0]])


def valid_and_out() -> tuple[Tensor, Tensor]:
    return torch.rand(2, 1, 16) < 0.7, torch.empty(2, 3, 16, dtype=torch.bool)


def degree_arguments() -> tuple[object, ...]:
    upper = torch.full((3, 8), 100)
    return (
        20 * torch.rand(2, 3, 8).double(),
        upper[:, :1],
        upper // 100,
        upper,
        torch.full((3, 1), 9.0).double(),
        9,
    )


ROWS, TAPS = (2, 6, 7, 16), (16, 1, 3, 3)
OPERATORS: dict[str, Callable[[], tuple[object, ...]]] = {
    "gate": maps((3, 20), (3, 20), (3, 20)),
    "gate_backward": maps(*[(3, 20)] * 5),
    "depthwise": lambda: (*maps(ROWS, TAPS, (16,))(), 1, 0),
    "depthwise_gate": lambda: (*maps(ROWS, ROWS, TAPS, TAPS)(), 1, 0),
    "depthwise_backward": lambda: (*maps((2, 6, 7, 16), (2, 4, 7, 16))(), 3, 0),
    "keep_top": lambda: (*similarities(), *valid_and_out()),
    "bisect": lambda: (*similarities(), *torch.zeros(2, 2, 3, 1), 5, *valid_and_out()),
    "scale_degrees": degree_arguments,
    "edge_attention": edge_arguments,
    "edge_attention_backward": edge_backward_arguments,
    "window_attention": attention_arguments,
    "window_attention_backward": lambda: (torch.randn(2, 64, 8), *attention_arguments()),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_is_what_its_schema_and_its_fake_say(name: str) -> None:
    operator = getattr(torch.ops.glic_pyg, name).default
    torch.library.opcheck(operator, OPERATORS[name](), test_utils=("test_schema", "test_faketensor"))


def test_no_operator_is_left_out() -> None:
    assert set(dir(torch.ops.glic_pyg)) >= set(OPERATORS)
    names = set(kernels.library.KERNELS) - {"window_edges"}  # a part of the attention
    assert names == set(OPERATORS) - {"depthwise_gate"}  # the same function as depthwise
