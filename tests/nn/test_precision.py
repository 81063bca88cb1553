"""Products in bfloat16: factors rounded, results in float32, and nothing else touched."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glic_pyg.nn import GatedBlock, HaarDown
from glic_pyg.nn.precision import (
    _BFloat16Products,
    bfloat16_products,
    full_precision,
    multiplies_bfloat16,
)

ROWS, WEIGHT, BIAS = (64, 40), (24, 40), (24,)
MAP, KERNEL = (2, 40, 9, 7), (24, 40, 3, 3)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.linear(x, weight, bias)


def addmm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.addmm(bias, x, weight.T)


def addmm_out(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.addmm(bias, x, weight.T, out=torch.empty(len(x), len(weight)))


def mm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.mm(x, weight.T, out=torch.empty(len(x), len(weight))) + bias


def conv2d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight, bias, stride=2, padding=1)


def conv_transpose2d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv_transpose2d(x, weight.transpose(0, 1), bias, stride=2, padding=1, output_padding=1)


PRODUCTS: list[tuple[Callable[[Tensor, Tensor, Tensor], Tensor], tuple[int, ...], tuple[int, ...]]] = [
    (linear, ROWS, WEIGHT),
    (addmm, ROWS, WEIGHT),
    (addmm_out, ROWS, WEIGHT),
    (mm, ROWS, WEIGHT),
    (conv2d, MAP, KERNEL),
    (conv_transpose2d, MAP, KERNEL),
]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(("product", "x", "weight"), PRODUCTS, ids=lambda p: getattr(p, "__name__", ""))
def test_factors_are_rounded_and_the_result_is_float32(
    product: Callable[..., Tensor], x: tuple[int, ...], weight: tuple[int, ...], native: bool
) -> None:
    if native and product is conv_transpose2d and not multiplies_bfloat16("cpu"):
        pytest.skip("torch sums up in bfloat16 here, which is why it is not asked to")
    a, b, bias = random(*x), random(*weight), 1000 + random(*BIAS)
    with torch.inference_mode(), _BFloat16Products(native):
        got = product(a, b, bias)
    rounded = product(a.bfloat16().float(), b.bfloat16().float(), torch.zeros(BIAS))
    wide = bias[:, None, None] if got.ndim == 4 else bias
    assert got.dtype == torch.float32
    error = 2**-8 if native else 0
    torch.testing.assert_close(got - wide, rounded, rtol=error, atol=5e-4)  # the bias is not rounded
    assert (rounded + wide - product(a, b, bias)).abs().max() > 5e-3


LEFT: dict[str, Callable[[], Tensor]] = {
    "the image's channels": lambda: F.conv2d(random(1, 3, 8, 8), random(24, 3, 3, 3)),
    "an image before its shuffle": lambda: F.conv2d(random(1, 40, 8, 8), random(12, 40, 3, 3)),
    "an image": lambda: F.conv_transpose2d(random(1, 40, 8, 8), random(40, 3, 3, 3)),
    "groups": lambda: F.conv2d(random(1, 40, 8, 8), random(40, 1, 3, 3), groups=40),
    "float64": lambda: F.linear(random(*ROWS).double(), random(*WEIGHT).double()),
    "computed factors": lambda: random(5, 8, 16) @ random(5, 16, 8),
    "the side branch": lambda: HaarDown(8, 16)(random(1, 8, 8, 8)),
    "inside full precision": lambda: _inside_full_precision(),
}


def _inside_full_precision() -> Tensor:
    with full_precision("cpu"):
        return linear(random(*ROWS), random(*WEIGHT), random(*BIAS))


@pytest.mark.parametrize("what", LEFT)
def test_left_alone(what: str) -> None:
    with torch.inference_mode():
        torch.manual_seed(3)
        expected = LEFT[what]()
        torch.manual_seed(3)
        with bfloat16_products():
            assert torch.equal(LEFT[what](), expected)


def test_what_is_between_products_stays_float32() -> None:
    """Also without the C library; autocast would give bfloat16."""
    block = GatedBlock(32, 32, 2.0).eval()
    x = random(1, 32, 8, 8)
    seen: list[torch.dtype] = []
    block.norm.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs[0].dtype))
    with torch.inference_mode():
        exact = block(x)
        with bfloat16_products():
            low = block(x)
    assert seen == [torch.float32] * 2 and low.dtype == torch.float32
    assert 0 < (low - exact).abs().max() < 0.02 * exact.std()


def test_other_threads_are_left_alone() -> None:
    layer = nn.Linear(40, 24)

    def apply(_: Any) -> Tensor:
        with torch.inference_mode():
            return layer(random(*ROWS))

    expected = apply(None)
    with ThreadPoolExecutor(2) as pool, bfloat16_products(), full_precision("cpu"):
        assert torch.equal(list(pool.map(apply, range(4)))[3], expected)
        assert torch.equal(apply(None), expected)
    with bfloat16_products():
        assert not torch.equal(apply(None), expected)
    assert torch.equal(apply(None), expected)
