"""Weights files: what is written comes back, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from glic_pyg.models import weights
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import (
    former_hash,
    load_weights,
    read_card,
    round_weights,
    save_weights,
    weights_hash,
    weights_of,
)
from tests.models.conftest import TINY

CARD = {"data": "photos ä", "steps": 1200, "points": [{"bpp": 0.25, "psnr": 30.5}]}


@pytest.fixture
def path(tmp_path: Path, tiny: GLIC) -> Path:
    path = tmp_path / "new folder" / "tiny.safetensors"
    save_weights(path, tiny, CARD)
    return path


def test_round_trip(path: Path, tiny: GLIC) -> None:
    again = load_weights(path)
    assert again.config == tiny.config and not again.training
    assert weights_hash(again) == weights_hash(tiny)
    x = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        assert torch.equal(again(x)["x_hat"], tiny(x)["x_hat"])
    assert read_card(path) == CARD


def test_half_the_bytes_for_the_same_model(path: Path, tiny: GLIC) -> None:
    half = path.with_name("half.safetensors")
    with pytest.raises(ValueError, match=r"does not fit into torch.float16: use round_weights"):
        save_weights(half, tiny, CARD, torch.float16)
    before = weights_hash(tiny)
    round_weights(tiny, torch.float16)
    assert weights_hash(tiny) != before and next(tiny.parameters()).dtype == torch.float32
    save_weights(half, tiny, CARD, torch.float16)
    again = load_weights(half)
    assert weights_hash(again) == weights_hash(tiny)
    assert half.stat().st_size < 0.6 * path.stat().st_size and read_card(half) == CARD


def test_what_float16_cannot_hold_is_refused(tiny: GLIC) -> None:
    with torch.no_grad():
        tiny.g_a.down[0].bias[0] = 1e5
    with pytest.raises(ValueError, match=r"g_a\.down\.0\.bias holds a value that is too large"):
        round_weights(tiny, torch.float16)


def test_only_the_file_itself_is_left(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o644


def test_interrupted_write_leaves_the_old_file(
    path: Path, tiny: GLIC, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(tensors: object, metadata: object) -> bytes:
        raise OSError("no space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(weights, "save", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_weights(path, tiny, {})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_hash_changes_with_any_weight(tiny: GLIC) -> None:
    seen = {weights_hash(tiny)}
    for count, parameter in enumerate(tiny.parameters(), start=2):
        if count % 5 == 0:
            with torch.no_grad():
                parameter.view(-1)[-1] += 1
            seen.add(weights_hash(tiny))
            assert len(seen) == 1 + count // 5


def test_hash_ignores_buffers_but_not_names(tiny: GLIC) -> None:
    before = weights_hash(tiny)
    for buffer in tiny.buffers():
        buffer.zero_()
    tiny.latent_codec.hyper.entropy_bottleneck.update(force=True)
    assert weights_hash(tiny) == before
    one, other = nn.Module(), nn.Module()
    one.a, other.b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    assert weights_hash(one) != weights_hash(other)


def test_hash_covers_the_configuration(tiny: GLIC) -> None:
    """The same tensors on other graphs are another model: its files must not decode each other's."""
    seen = {weights_hash(tiny)}
    for graph in ({"scope": "image"}, {"mean_degree": 32}, {"kinds": ["mesh"]}):
        other = GLIC(**TINY, graph=graph).eval()
        other.load_state_dict(tiny.state_dict())
        assert weights_hash(other) not in seen
        seen.add(weights_hash(other))


def test_hash_is_the_one_that_the_page_describes(tiny: GLIC) -> None:
    """docs/format.md: what another implementation would compute."""
    parameters = hashlib.sha256()
    for name, p in sorted(tiny.named_parameters()):
        parameters.update(f"{name}|torch.float32|{tuple(p.shape)}|".encode())
        parameters.update(p.detach().numpy().astype("<f4").tobytes())
    stated = {key: list(value) if isinstance(value, tuple) else value for key, value in TINY.items()}
    text = json.dumps(["glic", dict(sorted(stated.items())), parameters.hexdigest()])
    assert weights_hash(tiny) == hashlib.sha256(text.encode()).hexdigest()


def test_hash_covers_the_architecture(tiny: GLIC) -> None:
    class Other(GLIC):
        """Computes something else."""

    other = Other(**TINY)
    other.load_state_dict(tiny.state_dict())
    assert weights_hash(other) != weights_hash(tiny)


def test_hash_does_not_change_with_arguments_that_are_added_later(tiny: GLIC) -> None:
    before, written = weights_hash(tiny), len(tiny.config)
    tiny.config = {key: value for key, value in tiny.config.items() if key in TINY}
    assert weights_hash(tiny) == before and len(tiny.config) < written
    tiny.config = {key: tuple(value) if isinstance(value, list) else value for key, value in TINY.items()}
    assert weights_hash(tiny) == before


def test_former_hash_is_of_the_parameters_alone(tiny: GLIC) -> None:
    other = GLIC(**TINY, graph={"scope": "image"}).eval()
    other.load_state_dict(tiny.state_dict())
    assert former_hash(other) == former_hash(tiny) not in (weights_hash(tiny), None)


def test_hash_does_not_depend_on_memory_layout(tiny: GLIC) -> None:
    before = weights_hash(tiny)
    assert weights_hash(tiny.to(memory_format=torch.channels_last)) == before
    assert len(before) == 64 and int(before, 16)


def test_using_a_model_does_not_change_its_hash(path: Path) -> None:
    model = load_weights(path)
    before = weights_hash(model)
    with torch.no_grad():
        model(torch.rand(1, 3, 128, 128))
    assert weights_hash(model) == before


def test_weights_are_the_parameters(tiny: GLIC) -> None:
    assert set(weights_of(tiny)) == {name for name, _ in tiny.named_parameters()}


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no weights at .*absent\.safetensors: give the path"):
        load_weights(tmp_path / "absent.safetensors")


def write(path: Path, tensors: dict[str, torch.Tensor], **metadata: Any) -> Path:
    save_file(tensors, path, {name: json.dumps(value) for name, value in metadata.items()})
    return path


def refusal(path: Path) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(ValueError) as error:
        load_weights(path)
    text = str(error.value)
    assert str(path) in text and "\n" not in text
    return text


def test_a_flipped_bit_anywhere_is_noticed(path: Path) -> None:
    """In the tensors, in the configuration, in the hash itself."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    config, digest = data.index(b"widths"), data.index(weights_hash(load_weights(path)).encode())
    for at in (8 + size, 8 + size + 4001, len(data) - 1, data.index(b"8", config), digest + 5):
        damaged = bytearray(data)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        assert "damaged" in (said := refusal(path)) or "architecture" in said
    path.write_bytes(data)
    load_weights(path)


def with_tensor(path: Path, tiny: GLIC, values: torch.Tensor) -> Path:
    tensors = weights_of(tiny) | {"g_a.down.0.bias": values}
    return write(path.with_name("a.safetensors"), tensors, architecture=TINY)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(path: Path, tiny: GLIC, value: float) -> None:
    values = torch.zeros(8)
    values[3] = value
    assert "g_a.down.0.bias holds a value that is not finite" in refusal(with_tensor(path, tiny, values))
    too_large = with_tensor(path, tiny, torch.full((8,), 1e300, dtype=torch.float64))
    assert "not finite" in refusal(too_large)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.uint8, torch.complex64])
def test_values_that_are_no_floating_point_numbers_are_refused(
    path: Path, tiny: GLIC, dtype: torch.dtype
) -> None:
    said = refusal(with_tensor(path, tiny, torch.ones(8, dtype=dtype)))
    assert f"g_a.down.0.bias is of the type {dtype}" in said


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_numbers_become_float32(path: Path, tiny: GLIC, dtype: torch.dtype) -> None:
    values = torch.linspace(-1, 1, 8)
    model = load_weights(with_tensor(path, tiny, values.to(dtype)))
    bias = model.get_parameter("g_a.down.0.bias")
    assert bias.dtype == torch.float32 and torch.allclose(bias, values, atol=0.01)


def test_other_files_are_refused(tmp_path: Path, path: Path) -> None:
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(b"not a safetensors file")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(path.read_bytes()[:-100])
    for other in (noise, torn, write(tmp_path / "bare.safetensors", {"a": torch.zeros(2)})):
        assert "not a weights file of this project" in refusal(other)


def test_unknown_architectures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.safetensors"
    save_file({"a": torch.zeros(2)}, path, {"name": "glic7", "architecture": "{}", "card": "{}"})
    assert "its architecture 'glic7' is none of glic, " in refusal(path)


def test_files_without_a_name_hold_a_glic(tmp_path: Path, tiny: GLIC) -> None:
    path = write(tmp_path / "old.safetensors", weights_of(tiny), architecture=TINY, card={})
    assert weights_hash(load_weights(path)) == weights_hash(tiny)


def test_missing_and_extra_tensors_are_refused(tmp_path: Path, tiny: GLIC) -> None:
    tensors = weights_of(tiny)
    del tensors["g_a.down.0.bias"]
    assert "1 missing" in refusal(write(tmp_path / "a.safetensors", tensors, architecture=TINY))
    tensors = weights_of(tiny) | {"g_a.down.9.bias": torch.zeros(2)}
    assert "g_a.down.9.bias" in refusal(write(tmp_path / "b.safetensors", tensors, architecture=TINY))


def test_tensors_of_another_shape_are_refused(tmp_path: Path, tiny: GLIC) -> None:
    tensors = weights_of(tiny) | {"g_a.down.0.bias": torch.zeros(9)}
    assert "g_a.down.0.bias" in refusal(write(tmp_path / "a.safetensors", tensors, architecture=TINY))
