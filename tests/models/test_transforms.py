"""g_a and g_s: the order of their stages, and a side branch that is a chain of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from glic_pyg.models.transforms import AnalysisTransform, SynthesisTransform, stage_blocks, stage_depths
from glic_pyg.nn import tiling
from glic_pyg.progress import phase, reporting

SETTINGS: dict[str, Any] = {
    "gated_depth": 1,
    "gated_expansion": 2,
    "gfa_depth": 2,
    "gfa_expansions": (2, 1),
    "heads": 2,
}
WIDTHS = (4, 6, 8, 10)


def test_analysis_stage_by_stage() -> None:
    transform = AnalysisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS)).double()
    x = torch.rand(1, 3, 32, 48, dtype=torch.float64)
    side = [x]
    for branch in transform.side:
        side.append(branch(side[-1]))
    main = x
    for stage in range(3):
        main = transform.blocks[stage](transform.down[stage](main)) + side[stage + 1]
    expected = transform.down[3](main) + side[4]
    assert expected.shape == (1, 10, 2, 3)
    torch.testing.assert_close(transform(x), expected, rtol=0, atol=1e-12)


def test_synthesis_stage_by_stage() -> None:
    transform = SynthesisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS)).double()
    y_hat = torch.randn(1, 10, 2, 3, dtype=torch.float64)
    side = [y_hat]
    for branch in transform.side:
        side.append(branch(side[-1]))
    main = y_hat
    for stage in range(3):
        main = transform.blocks[stage](transform.up[stage](main)) + side[stage + 1]
    expected = transform.up[3](main) + side[4]
    assert expected.shape == (1, 3, 32, 48)
    torch.testing.assert_close(transform(y_hat), expected, rtol=0, atol=1e-12)


def test_widths_mirror_each_other() -> None:
    analysis, synthesis = (
        AnalysisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS)),
        SynthesisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS)),
    )
    assert [(d.in_channels, d.out_channels) for d in analysis.down] == [(3, 4), (4, 6), (6, 8), (8, 10)]
    assert [(u[0].in_channels, u[0].out_channels // 4) for u in synthesis.up] == [
        (10, 8),
        (8, 6),
        (6, 4),
        (4, 3),
    ]
    deep = [analysis.blocks[1], analysis.blocks[2], synthesis.blocks[1], synthesis.blocks[0]]
    hidden = [block.layers[0].project_out.in_channels for block in deep]
    assert hidden == [12, 8, 12, 8]
    assert isinstance(analysis.blocks[3], nn.Identity) and isinstance(synthesis.blocks[3], nn.Identity)


def test_depths_a_stage() -> None:
    settings = {**SETTINGS, "gated_depth": (0, 1, 2), "gfa_depth": (0, 2)}
    first, second, third = stage_blocks(WIDTHS, **settings)
    assert [type(block).__name__ for block in first] == []
    assert [type(block).__name__ for block in second] == ["GatedBlock"]
    assert [type(block).__name__ for block in third] == ["GatedBlock", "GatedBlock", "GFABlock"]
    assert len(third[-1].layers) == 2


def test_one_number_is_the_published_layout() -> None:
    gated, layers = stage_depths(3, 5)
    assert gated == (3, 0, 0) and layers == (5, 5)
    for given in ((1, 2), (1, 2, 3, 4)):
        with pytest.raises(ValueError, match="one for each of stages 0, 1 and 2"):
            stage_depths(given, 5)


def test_kernel_sizes_keep_the_shapes() -> None:
    down, up = (5, 3, 3, 1), (3, 3, 5, 1)
    analysis = AnalysisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS), down)
    synthesis = SynthesisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS), up)
    assert [d.kernel_size[0] for d in analysis.down] == [5, 3, 3, 1]
    assert [u[0].kernel_size[0] for u in synthesis.up] == [1, 5, 3, 3]
    y = analysis(torch.rand(1, 3, 32, 48))
    assert y.shape == (1, 10, 2, 3) and synthesis(y).shape == (1, 3, 32, 48)


@pytest.mark.parametrize("kernels", [(3, 3, 3, 3), (5, 7, 3, 1)])
@pytest.mark.parametrize("rows", [4, 8])
def test_large_maps_in_bands(kernels: tuple[int, ...], rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of the codec, where the maps are largest; the last band is smaller and its map cut."""
    settings = {**SETTINGS, "gated_depth": 2}
    g_a = AnalysisTransform(WIDTHS, stage_blocks(WIDTHS, **settings), kernels).double()
    g_s = SynthesisTransform(WIDTHS, stage_blocks(WIDTHS, **settings), kernels).double()
    x = torch.rand(2, 3, 176, 48, dtype=torch.float64)
    with torch.no_grad():
        y = g_a(x)
        x_hat = g_s(y, (173, 41))
        monkeypatch.setattr(tiling, "BAND_NODES", rows * 2 * 12)
        seen: list[int] = []
        g_a.down[0].register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].shape[2]))
        torch.testing.assert_close(g_a(x), y, rtol=0, atol=1e-12)
        torch.testing.assert_close(g_s(y, (173, 41)), x_hat, rtol=0, atol=1e-12)
    assert len(seen) == -(-44 // rows) and max(seen) < 176 and x_hat.shape == (2, 3, 173, 41)
    assert x_hat.is_contiguous(memory_format=torch.channels_last) or len(seen) == 1


def test_every_band_graph_and_layer_is_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "BAND_NODES", 4 * 12)
    g_a = AnalysisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS))
    g_s = SynthesisTransform(WIDTHS, stage_blocks(WIDTHS, **SETTINGS))
    y, done = torch.rand(1, WIDTHS[-1], 10, 3), list[float]()
    for transform, x in ((g_a, torch.rand(1, 3, 160, 48)), (g_s, y)):
        done.clear()
        with torch.no_grad(), reporting(lambda part, _: done.append(part)), phase("it"):
            transform(x)
        bands, layers = 10, SETTINGS["gfa_depth"]
        assert len(done) >= bands + 2 * layers and done == sorted(done)
        assert done[0] == 0 and done[-1] == 1 and max(b - a for a, b in pairwise(done)) < 0.4
