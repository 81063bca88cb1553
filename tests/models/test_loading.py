"""Any file that is given as weights: what it is, what it holds, and one sentence about what it is not."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from glic_pyg.models.building import build_for
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.models.glic import GLIC
from glic_pyg.models.loading import load_model
from glic_pyg.models.weights import load_weights, save_weights, weights_hash, weights_of
from tests.models.conftest import TINY
from tests.models.test_released import Malicious


def refusal(path: Path) -> str:
    """The one sentence with which a file is refused; it never advises to switch safety off."""
    with pytest.raises(ValueError) as error:
        load_model(path)
    text = str(error.value)
    assert str(path) in text and "\n" not in text and len(text) < 900
    assert "weights_only" not in text and "trust" not in text
    return text


def _torch(content: object) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


def _bytes(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _zip(name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "content")

    return write


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
NOT_WEIGHTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (_bytes(b""), "it is empty"),
    "Git LFS": (_bytes(LFS), "a Git LFS pointer"),
    "a web page": (_bytes(b"\n<!DOCTYPE html>\n<html><head>" + bytes(2000)), "a web page"),
    "an error of S3": (
        _bytes(b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'),
        "a web page",
    ),
    "text": (_bytes(b"Entry not found"), "it is text, which begins 'Entry not found'"),
    "an image": (_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300)), "a PNG image"),
    "a .glic file": (_bytes(b"GLIC\x01" + bytes(99)), "a .glic file"),
    "zeros": (_bytes(bytes(5000)), "full of zeros"),
    "noise": (_bytes(b"\xfe" + bytes(range(256))), "of no kind that is known"),
    "another zip archive": (_zip("word/document.xml"), "a zip archive of something else"),
    "half a zip archive": (_bytes(b"PK\x03\x04" + bytes(200)), "cut off or damaged"),
    "an unpacked gzip": (_bytes(b"\x1f\x8b\x08" + bytes(50)), "unpack it first"),
    "a plain pickle": (_bytes(pickle.dumps({"a": 1})), "damaged"),
    "a list": (_torch([1, 2]), "holds a list, not a dict"),
    "no tensors": (_torch({"epoch": 3}), "no state_dict of tensors"),
    "something else": (_torch({"fc.weight": torch.zeros(3)}), "of no model that can be used here"),
    "numpy's objects": (_torch({"loss": np.float64(1)}), "more than tensors"),
    "sparse tensors": (_torch({"a": torch.zeros(3, 3).to_sparse()}), "sparse"),
    "a program": (lambda path: torch.jit.script(nn.Linear(2, 2)).save(str(path)), "a TorchScript program"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".pth.tar", ".safetensors"])
@pytest.mark.parametrize("what", NOT_WEIGHTS)
def test_what_is_no_checkpoint_is_said_in_words(what: str, suffix: str, tmp_path: Path) -> None:
    write, words = NOT_WEIGHTS[what]
    write(tmp_path / f"a{suffix}")
    assert words in refusal(tmp_path / f"a{suffix}")


def test_code_is_named_and_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.pth.tar", tmp_path / "executed"
    torch.save({"state_dict": {}, "extra": Malicious(marker)}, path)
    assert "mkdir" in refusal(path) and not marker.exists()


def test_a_flipped_bit_in_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    """torch writes a checksum of every tensor, and does not look at it."""
    path = tmp_path / "a.pth.tar"
    torch.save({"a": torch.arange(1000.0)}, path)
    data = bytearray(path.read_bytes())
    at = data.index(np.arange(500, 510, dtype=np.float32).tobytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert torch.load(path, weights_only=True)["a"][500] != 500, "torch has noticed it itself"
    assert "cut off or damaged" in refusal(path)


def test_tensors_that_claim_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    torch.save({"g_a.0.weight": torch.zeros(1).expand(30000, 3, 5, 5)}, tmp_path / "a.pth.tar")
    assert "fewer values than its tensors claim" in refusal(tmp_path / "a.pth.tar")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no weights at"):
        load_model(tmp_path / "absent.ckpt")


def run_checkpoint(
    path: Path, last: nn.Module, average: nn.Module | None, *, named: str = "ema.module.", **settings: Any
) -> None:
    """As a run of ``glic train`` leaves it."""
    state = {f"model.{name}": tensor for name, tensor in last.state_dict().items()}
    if average is not None:
        state |= {f"{named}{name}": tensor for name, tensor in average.state_dict().items()}
    state |= {"regularizer.model.a": torch.zeros(2)}
    torch.save({"state_dict": state, "pytorch-lightning_version": "2.5", "hyper_parameters": settings}, path)


TARGET = {"_target_": "glic_pyg.models.compressai.Hyperprior", "_convert_": "all"}


@pytest.mark.parametrize("averaged", ["ema.module.", "ema.model.", None])
def test_the_checkpoint_of_a_run(tmp_path: Path, averaged: str | None) -> None:
    """By the names of today and by those of earlier runs."""
    last, average = Hyperprior(8, 12), Hyperprior(8, 12)
    settings = {**TARGET, **last.config}
    names = {} if averaged is None else {"named": averaged}
    run_checkpoint(tmp_path / "last.ckpt", last, average if averaged else None, **names, model=settings)
    got = load_model(tmp_path / "last.ckpt")
    assert not got.training and weights_hash(got) == weights_hash(average if averaged else last)


def test_checkpoints_of_runs_that_cannot_be_used(tmp_path: Path) -> None:
    path, model = tmp_path / "last.ckpt", Hyperprior(8, 12)
    run_checkpoint(path, model, None)
    assert "does not say which model it is of" in refusal(path)
    run_checkpoint(path, model, None, model={"_target_": "tests.training.tiny_codec.TinyCodec"})
    assert "is of a TinyCodec" in refusal(path)
    run_checkpoint(path, model, None, model={**TARGET, **model.config, "channels": 10})
    assert "does not fit its architecture" in refusal(path)
    run_checkpoint(path, model, None, model={**TARGET, "channels": 4096, "latent_channels": 4096})
    assert "much larger model" in refusal(path)


def test_tensors_of_others_in_safetensors(tmp_path: Path) -> None:
    save_file({"fc.weight": torch.zeros(3)}, tmp_path / "a.safetensors")
    assert "of no model that can be used here" in refusal(tmp_path / "a.safetensors")
    from compressai.models import ScaleHyperprior

    theirs = ScaleHyperprior(8, 12)
    save_file({name: p.detach() for name, p in theirs.named_parameters()}, tmp_path / "b.safetensors")
    assert isinstance(load_model(tmp_path / "b.safetensors"), Hyperprior)


HUGE: dict[str, dict[str, Any]] = {
    "wide": {"widths": [4096] * 4},
    "a billion wide": {"hyper_channels": 10**9},
    "deep": {"gfa_depth": 10**6},
    "deep within what is plausible": {"gfa_depth": 3000},
    "many groups": {"groups": [1] * 4000, "widths": [8, 8, 8, 4000]},
    "expanded": {"gated_expansion": 1e30},
    "not a number": {"gated_expansion": float("inf")},
    "many heads": {"heads": 4000, "widths": [8, 4000, 4000, 16]},
}


@pytest.mark.parametrize("what", HUGE)
def test_a_small_file_gets_no_huge_model(what: str, tmp_path: Path) -> None:
    metadata = {"name": "glic", "architecture": json.dumps({**TINY, **HUGE[what]}), "card": "{}"}
    save_file({"a": torch.zeros(100)}, tmp_path / "a.safetensors", metadata)
    before = _peak()
    assert "asks for a much larger model" in refusal(tmp_path / "a.safetensors")
    assert _peak() - before < 100e6


def _peak() -> int:
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("window", [10, 33, 10**6, 0, -5])
def test_windows_whose_memory_grows_with_their_fourth_power_are_bounded(window: int) -> None:
    with pytest.raises(ValueError, match="an odd side of at most 31"):
        build_for("mlicpp", {"window": window})


@pytest.mark.parametrize("nested", ["[" * 99_999 + "]" * 99_999, '{"graph": ' * 50_000 + "1" + "}" * 50_000])
def test_absurd_configurations(nested: str, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", {"name": "glic", "architecture": nested})
    assert "not a weights file of this project" in refusal(tmp_path / "a.safetensors")


def test_building_gives_what_the_class_gives() -> None:
    """Names, shapes and buffers; the values of parameters are whatever memory held."""
    plain = GLIC(**TINY)
    built = build_for("glic", plain.config, {name: p.shape for name, p in plain.named_parameters()})
    shapes = [{name: (p.shape, p.requires_grad) for name, p in m.named_parameters()} for m in (plain, built)]
    assert shapes[0] == shapes[1] and not built.training
    buffers = dict(built.named_buffers())
    assert all(torch.equal(buffers[name], buffer) for name, buffer in plain.named_buffers())


def test_a_weights_file_of_any_name(tmp_path: Path, tiny: GLIC) -> None:
    save_weights(tmp_path / "a.safetensors", tiny, {})
    (tmp_path / "a.safetensors").rename(tmp_path / "model.pt")
    assert weights_hash(load_model(tmp_path / "model.pt")) == weights_hash(tiny)
    assert set(weights_of(load_weights(tmp_path / "model.pt"))) == set(weights_of(tiny))
