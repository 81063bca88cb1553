from __future__ import annotations

import math

import pytest
import torch

from glic_pyg.graph import complexity_map

DETECTORS = ["sobel", "entropy", "residual", "none"]


def test_equals_the_reference(reference) -> None:
    found = complexity_map(reference["input"])
    torch.testing.assert_close(found, reference["complexity"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("pooling", ["rms", "mean"])
def test_sobel_of_a_ramp(pooling: str) -> None:
    down, across = torch.tensor([0.5, 1.0, -2.0]).double(), torch.tensor([1.0, -3.0, 0.25]).double()
    r, c = torch.meshgrid(torch.arange(12.0).double(), torch.arange(9.0).double(), indexing="ij")
    x = (down[:, None, None] * r + across[:, None, None] * c)[None]
    slope = (4 * (down**2 + across**2) + 1e-9).sqrt()  # the kernels span two steps
    expected = slope.square().mean().sqrt() if pooling == "rms" else slope.mean()
    inner = complexity_map(x, "sobel", pooling)[0, 2:-2, 2:-2]
    torch.testing.assert_close(inner, expected.expand_as(inner), rtol=1e-12, atol=0)


def test_residual_of_a_checkerboard_is_its_amplitude() -> None:
    r, c = torch.meshgrid(torch.arange(8), torch.arange(10), indexing="ij")
    x = torch.stack([((r + c) % 2) * 2.0 - 1, (((r + c) % 2) * 2.0 - 1) * 3])[None].double()
    torch.testing.assert_close(complexity_map(x, "residual", "mean"), torch.full((1, 8, 10), 2.0).double())
    torch.testing.assert_close(
        complexity_map(x, "residual", "rms"), torch.full((1, 8, 10), math.sqrt(5)).double()
    )


def test_entropy_of_stripes() -> None:
    x = (torch.arange(14) % 2).double().expand(1, 3, 9, 14)
    expected = -(0.4 * math.log2(0.4) + 0.6 * math.log2(0.6))  # 2 or 3 of 5 columns
    inner = complexity_map(x, "entropy")[0, :, 3:-3]
    torch.testing.assert_close(inner, torch.full_like(inner, expected))


@pytest.mark.parametrize("detector", ["entropy", "residual"])
def test_a_constant_map_has_no_complexity(detector: str) -> None:
    assert complexity_map(torch.full((1, 2, 7, 5), 3.0), detector).abs().max() < 1e-6


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("pooling", ["rms", "mean"])
def test_shape_of_any_size_and_layout(detector: str, pooling: str, size, feature_map) -> None:
    x = feature_map(*size)
    found = complexity_map(x, detector, pooling)
    assert found.shape == (2, *size) and (found >= 0).all()
    other = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(complexity_map(other, detector, pooling), found)
    assert torch.equal(complexity_map(x[1:], detector, pooling)[0], found[1])


@pytest.mark.parametrize(
    ("x", "settings", "words"),
    [
        (torch.zeros(3, 4, 4), {}, "shape"),
        (torch.zeros(1, 0, 4, 4), {}, "at least one value"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.int64), {}, "float32 or float64"),
        (torch.zeros(1, 1, 4, 4), {"detector": "canny"}, "detector 'canny'"),
        (torch.zeros(1, 1, 4, 4), {"pooling": "max"}, "pooling 'max'"),
    ],
)
def test_wrong_input_is_named(x, settings, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        complexity_map(x, **settings)
