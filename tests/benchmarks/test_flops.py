from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from benchmarks.flops import glic_flops
from glic_pyg.cli.hydra import compose_option
from glic_pyg.models.glic import GLIC

SIZES: dict[str, Any] = {
    "widths": [16, 32, 24, 40],
    "gated_depth": 2,
    "gated_expansion": 3,
    "gfa_depth": 2,
    "gfa_expansions": [2, 4],
    "heads": 4,
    "hyper_channels": 24,
    "hyper_depth": 2,
    "hyper_expansion": 2,
    "groups": [8, 16, 16],
    "context_expansion": 3,
    "context_width": 20,
    "parameter_width": 48,
}


def test_analysis_of_the_released_model() -> None:
    """370 GFLOP at 768x512, as GLIC section 9 states."""
    assert glic_flops(compose_option("model", "glic"), 512, 768).analysis == pytest.approx(370e9, rel=0.001)


def counted(network: nn.Module, *shape: int) -> int:
    """What torch counts while gradients are on, where no rows are computed twice in the halos of tiles."""
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # torch 2.13 has no formula for it

    def of_attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return sdpa_flop_count(query, key, value)

    with FlopCounterMode(display=False, custom_mapping={attention: of_attention}) as counter:
        network(torch.rand(*shape))
    return int(counter.get_total_flops())


@pytest.fixture(scope="module")
def model() -> GLIC:
    torch.manual_seed(0)
    return GLIC(**SIZES)


def test_transforms_as_torch_counts_them(model: GLIC, monkeypatch: pytest.MonkeyPatch) -> None:
    """The position bias, not in the formula, is the rest: it does not grow with the image."""
    monkeypatch.setenv("GLIC_KERNELS", "0")  # torch does not see into the C library
    flops = glic_flops(model.config, 256, 384)
    assert flops.analysis == pytest.approx(counted(model.g_a, 1, 3, 256, 384), rel=0.015)
    assert flops.synthesis == pytest.approx(counted(model.g_s, 1, 40, 16, 24), rel=0.015)


def test_without_gfa_in_one_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIC_KERNELS", "0")
    model = GLIC(**SIZES, gfa_in="decoder")
    both, flops = (glic_flops(config, 256, 384) for config in (SIZES, model.config))
    assert flops.synthesis == both.synthesis
    assert flops.analysis == pytest.approx(counted(model.g_a, 1, 3, 256, 384), rel=0.01)


def test_gfa_in_the_context_as_torch_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIC_KERNELS", "0")
    model = GLIC(**SIZES, context_gfa_depth=2)
    more = glic_flops(model.config, 256, 512).decode_networks - glic_flops(SIZES, 256, 512).decode_networks
    contexts = model.latent_codec.y.channel_context
    with_graphs = sum(counted(contexts[f"y{k}"], 1, c, 16, 32) for k, c in ((1, 8), (2, 24)))
    ramps = sum(counted(contexts[f"y{k}"].ramp, 1, c, 16, 32) for k, c in ((1, 8), (2, 24)))
    assert more == pytest.approx(with_graphs - ramps, rel=0.15), "the position bias is not in the formula"


@pytest.mark.parametrize("kinds", [["local"], ["mesh"]])
def test_one_kind_of_graph_compares_half_as_much(kinds: list[str]) -> None:
    one, both = (glic_flops({**SIZES, "graph": g}, 128, 128).analysis for g in ({"kinds": kinds}, None))
    assert both - one == 2 * 256 * (32 * 32 * 32 + 24 * 16 * 16)


def test_a_learned_complexity_costs_graphs_while_it_learns() -> None:
    learned, plain = (glic_flops({**SIZES, "graph": g}, 128, 128) for g in ({"detector": "learned"}, None))
    assert learned.learning_degrees > 0 == plain.learning_degrees
    assert plain.analysis < learned.analysis < 1.1 * plain.analysis


def test_entropy_networks_as_torch_counts_them(model: GLIC, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIC_KERNELS", "0")  # torch does not see into the C library
    flops = glic_flops(model.config, 128, 256)
    hyper = model.latent_codec.hyper
    h_a, h_s = counted(hyper.h_a, 1, 40, 8, 16), counted(hyper.h_s, 1, 24, 2, 4)
    assert flops.encode_networks - flops.decode_networks == pytest.approx(h_a, rel=0.01)
    groups = model.latent_codec.y.latent_codec
    context = sum(
        counted(groups[f"y{k}"].context_prediction, 1, size, 8, 16)
        + counted(groups[f"y{k}"].entropy_parameters, 1, (2 + 2 * (k > 0)) * size + 48, 8, 16)
        for k, size in enumerate(SIZES["groups"])
    )
    channel = model.latent_codec.y.channel_context
    context += counted(channel["y1"], 1, 8, 8, 16) + counted(channel["y2"], 1, 24, 8, 16)
    assert flops.decode_networks == pytest.approx(h_s + context, rel=0.01)


def test_flops_grow_with_the_pixels() -> None:
    small, large = (glic_flops(SIZES, 128 * k, 256 * k) for k in (1, 4))
    assert large.analysis == 16 * small.analysis and large.encode_networks == 16 * small.encode_networks
