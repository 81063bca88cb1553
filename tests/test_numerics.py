"""Half precision is widened, everything else is left alone."""

import pytest
import torch

from glic_pyg.numerics import at_least_float32, widened


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.uint8, torch.float32),
    ],
)
def test_at_least_float32(given: torch.dtype, expected: torch.dtype) -> None:
    x = torch.arange(3).to(given)
    assert at_least_float32(x).dtype == expected and at_least_float32(x).tolist() == [0, 1, 2]


def test_widened_leaves_other_values_alone() -> None:
    integers = torch.arange(3)
    assert widened(integers) is integers and widened(None) is None and widened("median") == "median"
    assert widened(torch.ones(1, dtype=torch.bfloat16)).dtype == torch.float32
