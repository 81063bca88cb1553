"""Local and global attention against plain twins that form every pair, and what memory they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from glic_pyg.models.checkerboard import ANCHORS, OTHERS, half_of, is_anchor, only
from glic_pyg.models.mlicpp import attention
from glic_pyg.models.mlicpp.attention import LocalAttention, linear_attention


def plain_local(module: LocalAttention, anchors: Tensor) -> Tensor:
    """Local context at all sites, image after image and window after window: ``(B, 2C, h, w)``."""
    height, width = anchors.shape[-2:]
    visible = is_anchor(height, width, anchors.device)
    maps = []
    for image in module.qkv(module.norm_in(anchors.permute(0, 2, 3, 1))):
        sites = [_plain_site(module, image, visible, r, c) for r in range(height) for c in range(width)]
        maps.append(torch.stack(sites).view(height, width, -1))
    f = module.proj(torch.stack(maps))
    return (f + module.mlp(module.norm_out(f))).permute(0, 3, 1, 2)


def _plain_site(module: LocalAttention, qkv: Tensor, visible: Tensor, row: int, column: int) -> Tensor:
    """All tokens of the window around one site attend to one another, then one vector of them: ``(2C,)``."""
    k, half = module.window, module.window // 2
    offsets = [(i - half, j - half) for i in range(k) for j in range(k)]
    places = [(row + i, column + j) for i, j in offsets]
    inside = {(r, c) for r, c in places if 0 <= r < qkv.shape[0] and 0 <= c < qkv.shape[1]}
    tokens = torch.stack([qkv[p] if p in inside else torch.zeros_like(qkv[0, 0]) for p in places])
    seen = torch.tensor([p in inside and bool(visible[p]) for p in places])
    numbers = [[(a - c + k - 1) * (2 * k - 1) + (b - d + k - 1) for c, d in offsets] for a, b in offsets]
    hidden = torch.where(seen[:, None] & seen, 0.0, -100.0)
    heads = module.bias_table.shape[1]
    results = []
    for head in range(heads):
        q, key, value = (part[:, head::heads] for part in tokens.chunk(3, 1))
        logits = q @ key.T / q.shape[1] ** 0.5 + module.bias_table[numbers, head] + hidden
        results.append(logits.softmax(1) @ value)
    window = torch.cat(results, 1).T.view(1, -1, k, k)
    return module.fusion(window).flatten()


def gradients(output: Tensor, *wanted: Tensor) -> list[Tensor]:
    """Of a scalar that weighs all values differently."""
    weights = torch.sin(torch.arange(output.numel(), dtype=output.dtype)).view_as(output)
    return list(torch.autograd.grad((output * weights).sum(), wanted))


def same(first: Callable[[], Tensor], second: Callable[[], Tensor], *wanted: Tensor) -> None:
    """Equal output and gradients to 1e-9."""
    a, b = first(), second()
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    for mine, theirs in zip(gradients(a, *wanted), gradients(b, *wanted), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.fixture
def local() -> LocalAttention:
    module = LocalAttention(4, heads=2, window=3).double()
    nn.init.normal_(module.bias_table)
    return module


@pytest.mark.parametrize("at_once", [1, 512], ids=["many blocks", "one block"])
def test_local_attention_is_the_plain_one_at_the_other_sites(
    local: LocalAttention, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "SITES_AT_ONCE", at_once)
    maps = torch.randn(2, 4, 4, 6, dtype=torch.float64)
    anchors = only(half_of(maps, ANCHORS), ANCHORS).requires_grad_()
    same(
        lambda: local(anchors),
        lambda: half_of(plain_local(local, anchors), OTHERS),
        anchors,
        *local.parameters(),
    )


@torch.no_grad()
def test_local_attention_without_gradients_is_the_same(local: LocalAttention) -> None:
    anchors = only(torch.randn(1, 4, 8, 4, dtype=torch.float64), ANCHORS)
    with torch.enable_grad():
        expected = local(anchors)
    assert torch.equal(local(anchors), expected)


def test_global_attention_is_the_one_with_all_pairs() -> None:
    q, k, v = (torch.randn(2, 6, 4, 3, dtype=torch.float64, requires_grad=True) for _ in range(3))

    def with_pairs() -> Tensor:
        heads = [t.flatten(2).unflatten(1, (2, 3)) for t in (q, k, v)]
        pairs = heads[1].softmax(-1).transpose(-1, -2) @ heads[0].softmax(-2)
        return (heads[2] @ pairs).flatten(1, 2).view_as(q)

    same(lambda: linear_attention(q, k, v, 2), with_pairs, q, k, v)


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that is made."""

    elements = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **kwargs or {})
        for made in result if isinstance(result, tuple | list) else [result]:
            if isinstance(made, Tensor) and made.untyped_storage().nbytes():
                self.elements = max(self.elements, made.untyped_storage().nbytes() // made.element_size())
        return result


def largest(module: LocalAttention, height: int) -> int:
    with torch.no_grad(), Largest() as largest_made:
        module(torch.zeros(1, 4, height, 64))
    return largest_made.elements


def test_no_tensor_of_all_pairs_is_made() -> None:
    module = LocalAttention(4, heads=2, window=5)
    pairs_a_site = 2 * 25 * 25
    assert largest(module, 32) == largest(module, 128) < 2 * attention.SITES_AT_ONCE * pairs_a_site


def test_training_keeps_no_pairs() -> None:
    module, kept = LocalAttention(4, heads=2, window=5), 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(torch.zeros(1, 4, 32, 32))
    pairs = 32 * 16 * 2 * 25 * 25
    assert kept < pairs / 4
