"""The whole model: sizes, gradients, losses, batches."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from glic_pyg.cli.hydra import compose_option
from glic_pyg.models.base import Codec
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GFABlock, HaarDown, HaarUp


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def arguments(size: str) -> dict[str, Any]:
    """Constructor arguments in conf/model."""
    stored = OmegaConf.to_container(compose_option("model", size))
    return {name: value for name, value in stored.items() if not name.startswith("_")}


def built(**config: Any) -> GLIC:
    """A model without memory for its weights."""
    with torch.device("meta"):
        return GLIC(**config)


def test_parts_of_the_released_size(whole: GLIC) -> None:
    assert count(whole) == 69_367_113
    parts = (whole.g_a, whole.g_s, whole.latent_codec)
    assert [count(part) / 1e6 for part in parts] == pytest.approx([7.27, 10.60, 51.49], abs=0.01)


def test_glic_is_the_default(whole: GLIC) -> None:
    assert whole.config == arguments("glic")


@pytest.mark.parametrize(
    ("size", "limit"),
    [("glic_m", 10_000_000), ("glic_cpu", 7_500_000), ("glic_s", 4_000_000), ("glic_xs", 3_000_000)],
)
def test_small_sizes(size: str, limit: int) -> None:
    assert limit / 2 < count(built(**arguments(size))) <= limit


def test_fulfils_the_contract(tiny: GLIC) -> None:
    assert isinstance(tiny, Codec)
    assert tiny.latent_channels == 16
    y = tiny.g_a(torch.rand(1, 3, 128, 256))
    assert y.shape == (1, 16, 8, 16)
    assert tiny.g_s(y).shape == (1, 3, 128, 256)


def test_config_makes_the_same_architecture(tiny: GLIC) -> None:
    again = GLIC(**tiny.config)
    assert again.config == tiny.config
    again.load_state_dict(tiny.state_dict())


def test_forward_is_its_parts(tiny: GLIC) -> None:
    x = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        out = tiny(x)
        latents = tiny.latent_codec(tiny.g_a(x))
        assert torch.equal(out["x_hat"], tiny.g_s(latents["y_hat"]))
    assert set(out) == {"x_hat", "likelihoods"}
    assert out["likelihoods"]["y"].shape == (1, 16, 8, 8)
    assert out["likelihoods"]["z"].shape == (1, 6, 2, 2)
    for likelihoods in out["likelihoods"].values():
        assert likelihoods.min() > 0 and likelihoods.max() <= 1


def test_images_of_a_batch_do_not_meet(tiny: GLIC) -> None:
    x = torch.rand(2, 3, 128, 128, dtype=torch.float64)
    tiny.double()
    with torch.no_grad():
        both = tiny(x)
        for i in range(2):
            alone = tiny(x[i : i + 1])
            torch.testing.assert_close(both["x_hat"][i : i + 1], alone["x_hat"], rtol=0, atol=1e-10)
            for kind, likelihoods in alone["likelihoods"].items():
                torch.testing.assert_close(
                    both["likelihoods"][kind][i : i + 1], likelihoods, rtol=1e-9, atol=1e-12
                )


def test_every_parameter_but_the_quantiles_gets_a_gradient(tiny: GLIC) -> None:
    tiny.train()
    with torch.no_grad():
        tiny.latent_codec.hyper.h_a[-1].weight.mul_(30)
    out = tiny(torch.rand(1, 3, 128, 128))
    bits = sum(-likelihoods.log2().sum() for likelihoods in out["likelihoods"].values())
    (out["x_hat"].square().sum() + bits).backward()
    idle = {name for name, p in tiny.named_parameters() if p.grad is None or not p.grad.any()}
    assert idle == {"latent_codec.hyper.entropy_bottleneck.quantiles"}


def test_aux_loss_moves_the_quantiles_only(tiny: GLIC) -> None:
    tiny.aux_loss().backward()
    moved = {name for name, p in tiny.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"latent_codec.hyper.entropy_bottleneck.quantiles"}


def test_ortho_loss_sums_the_eight_side_maps(tiny: GLIC) -> None:
    branches = [m for m in tiny.modules() if isinstance(m, HaarDown | HaarUp)]
    assert len(branches) == 8
    expected = sum(branch.ortho_loss().item() for branch in branches)
    assert tiny.ortho_loss().item() == pytest.approx(expected, rel=1e-6)
    tiny.ortho_loss().backward()
    moved = [branch.linear.weight.grad is not None for branch in branches]
    assert all(moved)


def test_groups_must_sum_to_the_latent_channels() -> None:
    with pytest.raises(ValueError, match=r"groups \(4, 4\) sum to 8, not to 16 latent channels"):
        GLIC(widths=(8, 8, 8, 16), groups=(4, 4), heads=2)


def test_graph_settings_reach_every_block_and_the_file(tiny: GLIC) -> None:
    settings = {"detector": "entropy", "mean_degree": 16, "kinds": ["mesh"]}
    model = GLIC(**tiny.config | {"graph": settings})
    assert json.loads(json.dumps(model.config))["graph"] == settings
    blocks = [m for m in model.modules() if isinstance(m, GFABlock)]
    assert len(blocks) == 4
    assert {block.builder.detector for block in blocks} == {"entropy"}
    assert {tuple(block.builder.kinds) for block in blocks} == {("mesh",)}
