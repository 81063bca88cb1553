"""Loading MLIC++ checkpoints: both generations, old and new names of the bottleneck, what does not fit."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from glic_pyg.models import released
from glic_pyg.models.key_mapping import released_name
from glic_pyg.models.mlicpp import MLICpp
from glic_pyg.models.released import load_released
from tests.models.tiny_mlicpp import TINY

OLD = {"synthesis_width": 192, "residual_widths": None}
KEY_MAPPING = {
    "g_a.0.conv1.weight": "g_a.analysis_transform.0.conv1.weight",
    "g_s.3.igdn.gamma": "g_s.synthesis_transform.3.igdn.gamma",
    "g_s.1.up.0.weight": "g_s.synthesis_transform.1.subpel_conv.0.weight",
    "g_s.1.skip.0.bias": "g_s.synthesis_transform.1.upsample.0.bias",
    "g_s.7.0.weight": "g_s.synthesis_transform.7.0.weight",
    "latent_codec.h_a.8.weight": "h_a.reduction.8.weight",
    "latent_codec.h_s.2.0.weight": "h_s.increase.2.0.weight",
    "latent_codec.slices.2.local.bias_table": "local_context.2.relative_position_table",
    "latent_codec.slices.0.local.mlp.2.bias": "local_context.0.mlp.fc2.bias",
    "latent_codec.slices.1.channel.4.weight": "channel_context.1.fushion.4.weight",
    "latent_codec.slices.2.inter.mlp.0.weight": "global_inter_context.2.mlp.0.weight",
    "latent_codec.slices.1.intra.queries.1.weight": "global_intra_context.1.queries.1.weight",
    "latent_codec.slices.0.anchor_parameters.6.bias": "entropy_parameters_anchor.0.fusion.6.bias",
    "latent_codec.slices.2.other_residual.0.weight": "lrp_nonanchor.2.lrp_transform.0.weight",
    "latent_codec.entropy_bottleneck.quantiles": "entropy_bottleneck.quantiles",
}


def checkpoint(**config: Any) -> dict[str, Tensor]:
    """Random weights of a tiny model, under released names."""
    model = MLICpp(**TINY | config)
    return {released_name(name, "mlicpp"): torch.randn_like(p) for name, p in model.named_parameters()}


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """A checkpoint of an architecture that is small enough to load many times."""
    mlicpp = released.RELEASES["mlicpp"]
    tiny = replace(mlicpp, config=lambda given: TINY | (mlicpp.config(given) or {}))
    monkeypatch.setitem(released.RELEASES, "mlicpp", tiny)
    return checkpoint()


def loads(given: object, weights: dict[str, Tensor], model: str | None = "mlicpp") -> bool:
    """Whether every tensor arrives at its place."""
    net = load_released(given, model)  # type: ignore[arg-type]
    got = {released_name(name, "mlicpp"): p for name, p in net.named_parameters()}
    return not net.training and all(torch.equal(got[name], tensor) for name, tensor in weights.items())


@pytest.mark.parametrize(("own", "theirs"), KEY_MAPPING.items(), ids=list(KEY_MAPPING))
def test_key_mapping(own: str, theirs: str) -> None:
    assert own in dict(MLICpp(**TINY).named_parameters())
    assert released_name(own, "mlicpp") == theirs


def test_file(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "mlicpp.pth.tar"
    prefixed = {f"module.{name}": tensor for name, tensor in weights.items()}
    torch.save({"state_dict": prefixed, "epoch": 611, "loss": 0.5, "optimizer": {"lr": 1e-5}}, path)
    assert loads(path, weights)


def test_names_tell_the_model(weights: dict[str, Tensor]) -> None:
    assert loads(weights, weights, model=None)


def test_old_names_of_the_bottleneck(weights: dict[str, Tensor]) -> None:
    old = {
        re.sub(r"(matri|bias|factor)(?:ces|es|s)\.(\d)$", _old_name, name): tensor
        for name, tensor in weights.items()
    }
    renamed = {name.removeprefix("entropy_bottleneck.") for name in set(old) - set(weights)}
    assert len(renamed) == 14 and {"_matrix4", "_bias0", "_factor3"} < renamed
    assert loads(old, weights)


def _old_name(match: re.Match[str]) -> str:
    return "_" + {"matri": "matrix"}.get(match[1], match[1]) + match[2]


def test_weights_of_2023_are_told_by_their_shapes(weights: dict[str, Tensor]) -> None:
    old = checkpoint(**OLD)
    assert loads(old, old)
    net = load_released(old, "mlicpp")
    assert net.config["synthesis_width"] == 192 and net.config["residual_widths"] is None


def test_coding_tables_and_other_derived_tensors_are_skipped(weights: dict[str, Tensor]) -> None:
    derived = {
        "entropy_bottleneck._quantized_cdf": torch.zeros(6, 9),
        "gaussian_conditional.scale_table": torch.zeros(64),
        "gaussian_conditional.lower_bound_scale.bound": torch.zeros(1),
        "g_a.analysis_transform.0.gdn.beta_reparam.pedestal": torch.zeros(1),
        "local_context.0.relative_position_index": torch.zeros(25, 25),
    }
    assert loads(weights | derived, weights)


def test_missing_extra_and_reshaped_tensors_are_named(weights: dict[str, Tensor]) -> None:
    del weights["local_context.1.qkv_proj.bias"]
    weights["channel_context.0.fushion.0.bias"] = torch.zeros(3)
    weights["lrp_anchor.2.lrp_transform.4.bias"] = torch.zeros(7)
    with pytest.raises(ValueError, match="not a whole MLIC\\+\\+ checkpoint") as error:
        load_released(weights, "mlicpp")
    text = str(error.value)
    assert "1 missing: local_context.1.qkv_proj.bias" in text
    assert "1 extra: channel_context.0.fushion.0.bias" in text
    assert "lrp_anchor.2.lrp_transform.4.bias (7,) instead of (4,)" in text
    assert "\n" not in text
