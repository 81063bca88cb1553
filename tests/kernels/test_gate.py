"""The gate in C equals the one of torch operators."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from benchmarks.decoder_settings import threads
from glic_pyg import kernels

pytestmark = pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled")


@pytest.mark.parametrize("count", [1, 16, 999])
def test_equals_torch(count: int) -> None:
    u, v, grad = 3 * torch.randn(3, count)
    exact = [t.double().requires_grad_() for t in (u, v)]
    product = F.gelu(exact[0]) * exact[1]
    grad_u, grad_v = torch.autograd.grad(product, exact, grad.double())
    found_u, found_v, out = torch.empty_like(u), torch.empty_like(v), torch.empty_like(u)
    for found, expected in (
        (kernels.gate(u, v, out), product),
        (kernels.gate_backward(u, v, grad.clone(), found_u, found_v), product),
        (found_u, grad_u),
        (found_v, grad_v),
    ):
        torch.testing.assert_close(found.double(), expected.detach(), rtol=1e-5, atol=2e-6)


def test_extreme_values() -> None:
    u = torch.tensor([-1e30, -100.0, -14.0, -0.0, 0.0, 14.0, 100.0, 1e30])
    out = kernels.gate(u, torch.ones_like(u), torch.empty_like(u))
    torch.testing.assert_close(out, F.gelu(u), rtol=1e-6, atol=1e-30)


def test_threads_do_not_matter() -> None:
    u, v = torch.randn(2, 300_001)
    results = []
    for count in (1, 3):
        with threads(count):
            results.append(kernels.gate(u, v, torch.empty_like(u)))
    assert torch.equal(*results)


def test_what_it_leaves_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    u = torch.randn(4, 8)
    assert kernels.can_gate(u, u)
    for other in (u.double(), u.bfloat16(), u.T, u.to("meta")):
        assert not kernels.can_gate(other, other)
    monkeypatch.setenv("GLIC_KERNELS", "0")
    assert not kernels.can_gate(u, u)
