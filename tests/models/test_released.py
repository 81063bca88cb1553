"""Loading the authors' checkpoints: what fits, and one sentence about what does not."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from glic_pyg.models import released
from glic_pyg.models.glic import GLIC
from glic_pyg.models.released import load_released, released_name
from tests.models.conftest import TINY

Y3 = "latent_codec.y.latent_codec.y3.entropy_parameters"

# Names as they stand in a released checkpoint, one of every kind of layer.
KEY_MAPPING = {
    "g_a.down.0.weight": "g_a.down0.weight",
    "g_s.up.3.0.bias": "g_s.up3.0.bias",
    "g_a.side.1.scaling": "g_a.AuxT_enc.1.scaling_factors",
    "g_s.side.2.linear.weight": "g_s.AuxT_dec.2.OLP.linear.weight",
    "g_a.blocks.0.1.mix_in.weight": "g_a.g1.1.mixer.conv1.0.weight",
    "g_s.blocks.2.0.depthwise.bias": "g_s.g3.0.mixer.depth_conv.bias",
    "g_a.blocks.0.2.ffn.project_out.weight": "g_a.g1.2.mlp.project_out.weight",
    "g_a.blocks.1.layers.4.conv.to_kv.weight": "g_a.g2.residual_group.blocks.4.grapher.proj_sample.weight",
    "g_s.blocks.0.layers.3.conv.log_scale": "g_s.g1.residual_group.blocks.3.grapher.logit_scale",
    "g_a.blocks.2.layers.0.conv.position_bias.mlp.2.weight": (
        "g_a.g3.residual_group.blocks.0.grapher.cpb_mlp.2.weight"
    ),
    "g_a.blocks.2.layers.1.norm_ffn.bias": "g_a.g3.residual_group.blocks.1.norm2.bias",
    "g_a.blocks.2.layers.1.depthwise.weight": "g_a.g3.residual_group.blocks.1.mlp.conv.weight",
    f"{Y3}.1.mix.weight": f"{Y3}.2.mixer.weight",
    f"{Y3}.2.norm.weight": f"{Y3}.4.norm2.weight",
    "latent_codec.y.channel_context.y4.1.skip.bias": "latent_codec.y.channel_context.y4.2.mixer.adaptor.bias",
    "latent_codec.hyper.entropy_bottleneck.quantiles": "latent_codec.hyper.entropy_bottleneck.quantiles",
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The checkpoint of an architecture that is small enough to load many times."""
    glic = replace(released.RELEASES["glic"], config=lambda given: TINY)
    monkeypatch.setitem(released.RELEASES, "glic", glic)
    return {released_name(name): torch.randn_like(p) for name, p in GLIC(**TINY).named_parameters()}


def loads(checkpoint: object, weights: dict[str, Tensor]) -> bool:
    """Whether every tensor arrives at its place."""
    model = load_released(checkpoint)
    got = {released_name(name): p for name, p in model.named_parameters()}
    return not model.training and all(
        torch.equal(got[name], weights[name].view_as(got[name])) for name in weights
    )


@pytest.mark.parametrize(("own", "theirs"), KEY_MAPPING.items(), ids=[name[:24] for name in KEY_MAPPING])
def test_key_mapping(own: str, theirs: str) -> None:
    assert released_name(own) == theirs


def test_key_mappings_are_of_real_parameters_and_differ_from_one_another(whole: GLIC) -> None:
    names = [name for name, _ in whole.named_parameters()]
    assert set(KEY_MAPPING) <= set(names)
    assert len({released_name(name) for name in names}) == len(names)


def test_state_dict(small: dict[str, Tensor]) -> None:
    assert loads(small, small)
    assert loads({"state_dict": small, "epoch": 600}, small)
    assert loads(OrderedDict({f"module.{name}": tensor for name, tensor in small.items()}), small)


@pytest.mark.parametrize("bare", [True, False], ids=["bare", "wrapped"])
def test_file(small: dict[str, Tensor], tmp_path: Path, bare: bool) -> None:
    path = tmp_path / "checkpoint_best_loss.pth.tar"
    prefixed = {f"module.{name}": tensor for name, tensor in small.items()}
    torch.save(prefixed if bare else {"state_dict": prefixed, "optimizer": {"lr": 1e-4}}, path)
    assert loads(path, small) and loads(str(path), small)


def test_sides_of_length_1_do_not_matter(small: dict[str, Tensor]) -> None:
    """The released layout keeps scaling factors as (1, C, 1, 1) and logit scales as (heads, 1, 1)."""
    reshaped = {
        name: t[None, :, None, None] if name.endswith("scaling_factors") else t for name, t in small.items()
    }
    assert loads(reshaped, small)


def test_tables_that_the_model_makes_itself_are_skipped(small: dict[str, Tensor]) -> None:
    grapher = "g_a.g2.residual_group.blocks.0.grapher"
    derived = {
        f"{grapher}.relative_position_index": torch.zeros(64, 256),
        "latent_codec.hyper.entropy_bottleneck._quantized_cdf": torch.zeros(6, 9),
        "g_a.AuxT_enc.0.dwt.w_ll": torch.zeros(1),
    }
    assert loads(small | derived, small)


def one_sentence(error: pytest.ExceptionInfo[ValueError]) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 700
    return text


def test_missing_extra_and_reshaped_tensors_are_named_together(small: dict[str, Tensor]) -> None:
    del small["g_a.down1.bias"]
    small["g_a.down9.bias"] = torch.zeros(3)
    small["g_s.up3.0.bias"] = torch.zeros(7)
    with pytest.raises(ValueError, match="not a whole GLIC checkpoint") as error:
        load_released(small)
    text = one_sentence(error)
    assert "1 missing: g_a.down1.bias" in text
    assert "1 extra: g_a.down9.bias" in text
    assert "g_s.up3.0.bias (7,) instead of (12,)" in text


def test_transposed_tensor_is_not_taken(small: dict[str, Tensor]) -> None:
    name = "g_a.AuxT_enc.0.OLP.linear.weight"
    small[name] = small[name].T
    with pytest.raises(ValueError, match=re.escape(f"{name} (12, 8) instead of (8, 12)")):
        load_released(small)


def test_long_lists_are_cut(small: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=f"{len(small)} missing: .*[.][.][.]") as error:
        load_released({})
    one_sentence(error)


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_pickle_that_runs_code_is_refused(small: dict[str, Tensor], tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.pth.tar", tmp_path / "executed"
    torch.save({"state_dict": small, "extra": Malicious(marker)}, path)
    with pytest.raises(
        ValueError, match=r"evil\.pth\.tar is not a checkpoint that can be read safely"
    ) as error:
        load_released(path)
    one_sentence(error)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the file was harmless, so this test has shown nothing"


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n" + bytes(100))
    with pytest.raises(ValueError, match=r"photo\.png is not a checkpoint") as error:
        load_released(path)
    one_sentence(error)


@pytest.mark.parametrize("content", [torch.zeros(3), {"state_dict": {"epoch": 3}}, {"epoch": 3}])
def test_file_without_tensors_by_name_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pth.tar"
    torch.save(content, path)
    with pytest.raises(ValueError, match="state_dict") as error:
        load_released(path)
    one_sentence(error)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*absent\.pth\.tar: give the path"):
        load_released(tmp_path / "absent.pth.tar")


def test_unknown_model() -> None:
    with pytest.raises(ValueError, match=r"'vae'.*use 'glic'"):
        load_released({}, model="vae")
