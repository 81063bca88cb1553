"""The entropy networks: causality of the context, widths of the ramps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from glic_pyg.models.glic import GLIC


@pytest.fixture
def y() -> Tensor:
    return torch.randn(1, 16, 8, 8, dtype=torch.float64) * 0.3


def likelihoods(model: GLIC, y: Tensor) -> Tensor:
    """Of y with the side information held fixed, so that only the context can pass anything on."""
    with torch.no_grad():
        side = torch.ones(1, 12, 8, 8, dtype=y.dtype)
        return model.latent_codec.y(y, side)["likelihoods"]["y"]


def anchors() -> Tensor:
    """True where row + column is even: the first pass of the checkerboard."""
    row, column = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    return (row + column) % 2 == 0


def changed(model: GLIC, y: Tensor, channel: int, row: int, column: int) -> Tensor:
    """Which likelihoods (M, h, w) change if one latent does."""
    other = y.clone()
    other[0, channel, row, column] += 5
    return (likelihoods(model, y) != likelihoods(model, other))[0]


def test_an_anchor_reaches_its_group_around_it_and_later_groups(tiny: GLIC, y: Tensor) -> None:
    reached = changed(tiny.double(), y, channel=5, row=4, column=4)
    assert not reached[:4].any()
    own = reached[4:8].any(0)
    assert own[4, 4]
    assert not (own & anchors()).sum() > 1
    rows, columns = (own & ~anchors()).nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 6, 2, 6)
    assert reached[8:, 4, 4].any()


def test_a_non_anchor_reaches_no_other_place_of_its_group(tiny: GLIC, y: Tensor) -> None:
    reached = changed(tiny.double(), y, channel=5, row=4, column=5)
    assert not reached[:4].any()
    assert reached[4:8].nonzero().tolist() == [[1, 4, 5]]
    assert reached[8:, 4, 5].any()


def test_ramps_of_the_released_size(whole: GLIC) -> None:
    """Three layers, widths linear from input to output, the inner ones at least 192 and 384."""
    codec = whole.latent_codec.y

    def widths(ramp: nn.Sequential, first: str) -> list[int]:
        return [*(getattr(layer, first).in_channels for layer in ramp), ramp[-1].norm.normalized_shape[0]]

    context = {name: widths(ramp, "mix_in") for name, ramp in codec.channel_context.items()}
    assert context == {
        "y1": [16, 192, 192, 32],
        "y2": [32, 192, 192, 64],
        "y3": [64, 192, 192, 128],
        "y4": [128, 213, 298, 384],
    }
    parameters = [widths(codec.latent_codec[f"y{k}"].entropy_parameters, "mix") for k in range(5)]
    assert parameters == [
        [416, 384, 384, 32],
        [448, 384, 384, 32],
        [512, 384, 384, 64],
        [640, 469, 384, 128],
        [1152, 896, 640, 384],
    ]
