from __future__ import annotations

import pytest
import torch
from torch import Tensor

from glic_pyg.graph.threshold import bisect, keep_top, select


def bisect_one(row: list[float], degree: float) -> list[bool]:
    """The search of one node, as the paper words it."""
    threshold, low, high = sum(row) / len(row), min(row), 1.0
    for _ in range(5):
        if sum(s > threshold for s in row) > degree:
            low, threshold = threshold, (threshold + high) / 2
        else:
            high, threshold = threshold, (threshold + low) / 2
    return [s > threshold for s in row]


def similarities(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2), dtype=dtype) * 2 - 1


def test_bisection_of_every_node() -> None:
    similarity, degrees = similarities(40, 30), torch.linspace(1, 30, 40).double()
    expected = [bisect_one(s, d) for s, d in zip(similarity.tolist(), degrees.tolist(), strict=True)]
    assert bisect(similarity, degrees).bool().tolist() == expected


@pytest.mark.parametrize("method", ["bisection", "exact"])
def test_places_that_are_no_candidates_do_not_matter(method) -> None:
    similarity, degrees = similarities(25, 16), torch.arange(25.0) % 10 + 1
    valid = torch.zeros(25, 16, dtype=torch.bool)
    valid[:, 3:13] = True
    inside = select(similarity[:, 3:13].contiguous(), degrees, method).bool()
    found = select(similarity, degrees, method, valid=valid).bool()
    assert torch.equal(found[:, 3:13], inside) and not found[~valid].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exact_keeps_the_top_and_the_first_of_equals(dtype: torch.dtype) -> None:
    similarity = similarities(300, 32, dtype=dtype)
    similarity[::2] = (similarity[::2] * 3).round() / 3  # many equal values, zeros of both signs
    similarity[::5] *= 1e-30
    degrees = torch.randint(0, 33, (300,), generator=torch.Generator().manual_seed(3))
    order = similarity.sort(dim=-1, descending=True, stable=True).indices
    expected = torch.zeros(300, 32, dtype=torch.bool).scatter_(-1, order, torch.arange(32) < degrees[:, None])
    assert torch.equal(keep_top(similarity, degrees.to(dtype)), expected)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match="method 'median'"):
        select(similarities(2, 3), torch.ones(2), "median")
