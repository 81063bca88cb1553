"""The attention in C equals the one of torch operators."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.decoder_settings import threads
from glic_pyg import kernels
from glic_pyg.graph import build_graphs
from glic_pyg.kernels import attention
from glic_pyg.kernels.compile import compile_all
from glic_pyg.kernels.library import load, usable_libraries
from glic_pyg.nn import GFAConv
from glic_pyg.nn.window_attention import attend_backward_in_blocks, attend_in_blocks

pytestmark = pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled")


def case(size: tuple[int, int], kind: str, heads: int, width: int) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    graph = build_graphs(torch.randn(2, 8, *size))[kind]
    q = torch.randn(2, size[0] * size[1], heads * width)
    kv = torch.randn(2, size[0] * size[1], 2 * heads * width)
    return q, kv, torch.rand(heads) * 20 + 1, 16 * torch.rand(heads, 64, 256), *graph.attention_rows


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize(
    ("size", "heads", "width"), [((32, 48), 2, 24), ((19, 9), 3, 16), ((8, 8), 1, 40), ((16, 24), 4, 7)]
)
def test_equals_torch(size: tuple[int, int], heads: int, width: int, kind: str) -> None:
    arguments = case(size, kind, heads, width)
    assert kernels.can_attend(arguments[0], arguments[-1])
    exact = attend_in_blocks(*(t.double() for t in arguments[:4]), *arguments[4:])
    assert (kernels.window_attention(*arguments) - exact).abs().max() < 1e-5
    assert (attend_in_blocks(*arguments) - exact).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_a_large_image_some_cells_at_a_time(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    graph = build_graphs(torch.randn(1, 8, 40, 32))[kind]
    q, kv = torch.randn(1, 1280, 48), torch.randn(1, 1280, 96)
    arguments = q, kv, torch.rand(2) * 20 + 1, 16 * torch.rand(2, 64, 256), *graph.attention_rows
    whole = kernels.window_attention(*arguments)
    monkeypatch.setattr(attention, "CELLS_AT_ONCE", 7)
    assert torch.equal(kernels.window_attention(*arguments), whole)


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize(
    ("size", "heads", "width"), [((32, 48), 2, 24), ((19, 9), 3, 16), ((8, 8), 1, 40), ((16, 24), 4, 7)]
)
def test_gradients_equal_torch(size: tuple[int, int], heads: int, width: int, kind: str) -> None:
    arguments = case(size, kind, heads, width)
    grad = torch.randn_like(arguments[0])
    exact = attend_backward_in_blocks(grad.double(), *(t.double() for t in arguments[:4]), *arguments[4:])
    ours = kernels.window_attention_backward(grad, *arguments)
    plain = attend_backward_in_blocks(grad, *arguments)
    for name, *gradients in zip(("q", "kv", "scale", "bias"), ours, plain, exact, strict=True):
        kernel_error, torch_error = (relative_error(g, gradients[-1]) for g in gradients[:-1])
        assert kernel_error < max(1e-5, 2 * torch_error), name


def relative_error(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


def test_isolated_nodes_and_zero_rows() -> None:
    q, kv, scale, bias, nodes, candidates, mask = case((16, 16), "local", 2, 8)
    mask[0, 3] = False
    q[0, 5] = 0
    kv[1, 7] = 0
    arguments = q, kv, scale, bias, nodes, candidates, mask
    assert not kernels.window_attention(*arguments)[0, nodes[0, 3]].any()
    torch.testing.assert_close(
        kernels.window_attention(*arguments), attend_in_blocks(*arguments), rtol=1e-4, atol=1e-5
    )
    grad = torch.randn_like(q)
    ours, plain = (
        f(grad, *arguments) for f in (kernels.window_attention_backward, attend_backward_in_blocks)
    )
    for found, expected in zip(ours, plain, strict=True):
        assert found.isfinite().all()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_extreme_logits_stay_finite() -> None:
    q, kv, _, bias, *graph = case((16, 16), "mesh", 2, 8)
    arguments = q, kv, torch.full((2,), 100.0), bias * 0, *graph
    out = kernels.window_attention(*arguments)
    assert out.isfinite().all()
    torch.testing.assert_close(out, attend_in_blocks(*arguments), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_threads_do_not_matter(kind: str) -> None:
    arguments = case((32, 48), kind, 2, 24)
    grad = torch.randn_like(arguments[0])
    results = []
    for count in (1, 2, 3):
        with threads(count):
            gradients = kernels.window_attention_backward(grad, *arguments)
            results.append([kernels.window_attention(*arguments), *gradients])
    for one, two, three in zip(*results, strict=True):
        assert torch.equal(one, two) and torch.equal(one, three)


def test_bfloat16_is_computed_in_float32() -> None:
    arguments = case((16, 16), "local", 2, 8)
    tensors, graph = arguments[:4], arguments[4:]
    low = kernels.window_attention(*(t.bfloat16() for t in tensors), *graph)
    exact = attend_in_blocks(*(t.bfloat16().float() for t in tensors), *graph)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), exact, rtol=0.01, atol=1e-3)
    grad = torch.randn_like(low)
    gradients = kernels.window_attention_backward(grad, *(t.bfloat16() for t in tensors), *graph)
    exact = attend_backward_in_blocks(grad.float(), *(t.bfloat16().float() for t in tensors), *graph)
    for found, expected in zip(gradients, exact, strict=True):
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), expected, rtol=0.01, atol=1e-3)


def test_torchs_defaults_do_not_matter() -> None:
    """What the library writes to is float32 and on the CPU, whatever new tensors are by default."""
    arguments = case((16, 24), "mesh", 2, 8)
    grad = torch.randn_like(arguments[0])
    expected = [kernels.window_attention(*arguments), *kernels.window_attention_backward(grad, *arguments)]
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            got = [kernels.window_attention(*arguments), *kernels.window_attention_backward(grad, *arguments)]
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_what_it_leaves_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    q, *_, mask = case((16, 16), "local", 2, 8)
    assert kernels.can_attend(q, mask)
    for other in (q.double(), q.half(), q.to("meta")):
        assert not kernels.can_attend(other, mask)
    for odd in (mask[:, :63], mask[..., :12], mask.to("meta")):
        assert not kernels.can_attend(q, odd)
    monkeypatch.setenv("GLIC_KERNELS", "0")
    assert not kernels.can_attend(q, mask)


def test_the_layer_uses_it_and_has_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    graph = build_graphs(torch.randn(1, 16, 16, 24))["mesh"]
    conv, x, calls = GFAConv(16, heads=2), torch.randn(1, 16 * 24, 16, requires_grad=True), []
    for name in ("window_attention", "window_attention_backward"):
        inner = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a, n=name, f=inner: calls.append(n) or f(*a))
    results = []
    for wanted in "10":
        monkeypatch.setenv("GLIC_KERNELS", wanted)
        out = conv(x, graph)
        results.append([out, *torch.autograd.grad(out.square().sum(), [x, *conv.parameters()])])
    assert calls == ["window_attention", "window_attention_backward"]
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_every_level_that_this_cpu_has(tmp_path: Path) -> None:
    """The levels below this CPU's own are what other machines run."""
    arguments = case((16, 24), "local", 2, 24)
    grad = torch.randn_like(arguments[0])

    def results() -> tuple[Tensor, ...]:
        return kernels.window_attention(*arguments), *kernels.window_attention_backward(grad, *arguments)

    expected = results()
    for found in map(load, usable_libraries()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels.library, "functions", lambda found=found: found)
            torch.testing.assert_close(results(), expected, rtol=1e-4, atol=1e-4)


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(OSError, match="no-such-compiler"):
        compile_all()
