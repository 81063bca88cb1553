"""Kernels in C refuse what they would read or write wrongly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from glic_pyg import kernels
from glic_pyg.kernels.library import KERNELS, LIMITS, run

pytestmark = pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled")

SIZES = {
    "n": 20, "images": 2, "rows": 6, "height": 6, "width": 5, "channels": 17, "side": 3, "cells": 4,
    "slots": 64, "candidates": 16, "nodes": 64, "heads": 2, "two": 2,
    "features": 5, "sources": 7, "edges": 3, "entries": 4, "groups": 3, "places": 12,
}  # fmt: skip
KNOWN = {
    "depthwise": {"above": 1},
    "depthwise_backward": {"padding": 1},
    "bisect": {"steps": 5},
    "scale_degrees": {"steps": 5},
}


def arrays_of(name: str, **changed: int) -> list[Tensor]:
    """Arrays that fit each other: numbers are 1, ids 0."""
    sizes = SIZES | changed
    return [
        torch.full([sizes[size] for size in shape], float(dtype.is_floating_point), dtype=dtype)
        for _, _, dtype, shape in KERNELS[name].parameters
    ]


@pytest.mark.parametrize("name", KERNELS)
def test_arrays_that_fit_are_taken(name: str) -> None:
    arrays = arrays_of(name)
    run(name, *arrays, **KNOWN.get(name, {}))
    assert all(bool(array.isfinite().all()) for array in arrays)


CASES = [(name, place) for name, kernel in KERNELS.items() for place in range(len(kernel.parameters))]


@pytest.mark.parametrize(("name", "place"), CASES, ids=lambda value: str(value))
def test_every_array_is_checked(name: str, place: int) -> None:
    _, optional, dtype, shape = KERNELS[name].parameters[place]
    right = arrays_of(name)
    other = torch.float16 if dtype != torch.float16 else torch.float32
    more = torch.zeros([2 * length for length in right[place].shape], dtype=dtype)
    wrong: list[Tensor | None] = [right[place].to(other), right[place].to("meta"), more, more[:1]]
    wrong.append(more[tuple(slice(None, None, 2) for _ in shape)])  # the right shape, not contiguous
    wrong += [] if optional else [None]
    wrong += [right[place][0]] if len(shape) > 1 else []
    for bad in wrong:
        arguments: list[Any] = [*right[:place], bad, *right[place + 1 :]]
        with pytest.raises(ValueError, match=r"must (be|have)"):
            run(name, *arguments, **KNOWN.get(name, {}))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("depthwise", {"side": 4}),
        ("depthwise_backward", {"channels": 15}),
        ("window_edges", {"slots": 65}),
        ("window_attention", {"candidates": 12}),
        ("window_attention", {"two": 3}),
        ("edge_attention", {"features": 129}),
        ("edge_attention_backward", {"entries": 2**15}),
    ],
)
def test_sizes_that_a_kernel_cannot_have_are_refused(name: str, changed: dict[str, int]) -> None:
    (size,) = changed
    assert changed[size] not in LIMITS[size]
    with pytest.raises(ValueError, match=f"{size} = {changed[size]}"):
        run(name, *arrays_of(name, **changed), **KNOWN.get(name, {}))


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_is_done_for_nothing(name: str) -> None:
    nothing = next(
        size
        for size in ("n", "images", "cells", "heads", "groups", "rows")
        if any(size in p[3] for p in KERNELS[name].parameters)
    )
    run(name, *arrays_of(name, **{nothing: 0}), **KNOWN.get(name, {}))


def test_ids_of_no_node_are_padding_nodes() -> None:
    """An id below or above those of the map reads zeros and is not written, forward and backward."""
    q, kv = torch.randn(1, 64, 16), torch.randn(1, 64, 32)
    scale, bias, mask = torch.ones(2), torch.zeros(2, 64, 16), torch.ones(1, 64, 16, dtype=torch.bool)
    nodes, candidates = torch.arange(64)[None], torch.arange(16)[None]
    results = []
    for beyond in (64, 10**9, -1, -(10**9)):
        sources = candidates.clone()
        sources[0, 3] = beyond
        arguments = q, kv, scale, bias, nodes, sources, mask
        out = kernels.window_attention(*arguments)
        results.append([out, *kernels.window_attention_backward(out, *arguments)])
    for other in results[1:]:
        assert all(torch.equal(*pair) for pair in zip(results[0], other, strict=True))


@pytest.mark.parametrize("what", ["q", "kv"])
def test_nan_goes_through(what: str) -> None:
    """A diverged model is noticed by what it computes."""
    q, kv = torch.randn(1, 64, 16), torch.randn(1, 64, 32)
    (q if what == "q" else kv)[0, 5, 3] = torch.nan
    scale, bias, mask = torch.ones(2), torch.zeros(2, 64, 16), torch.ones(1, 64, 16, dtype=torch.bool)
    out = kernels.window_attention(q, kv, scale, bias, torch.arange(64)[None], torch.arange(16)[None], mask)
    assert out[0, 5].isnan().any()


def test_operators_check_what_they_are_given() -> None:
    x, weight = torch.randn(1, 8, 8, 32), torch.randn(32, 1, 3, 3)
    for bad in (weight.double(), weight[:16], torch.randn(32, 1, 3, 5)):
        with pytest.raises((ValueError, RuntimeError)):
            kernels.depthwise(x, bad, None, 1, 1)
    with pytest.raises(ValueError, match="bias"):
        kernels.depthwise(x, weight, torch.randn(31), 1, 1)
    with pytest.raises(ValueError, match="bias"):
        kernels.depthwise(x, weight, torch.randn(32).double(), 1, 1)
    with pytest.raises(ValueError, match="rows"):
        kernels.depthwise_backward(x, x[:, :5], 3, 0)
    with pytest.raises(ValueError, match="out"):
        kernels.gate(x, x, torch.empty(1, 8, 8, 31))
