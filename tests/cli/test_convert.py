"""``glic convert``: a released checkpoint becomes a weights file, or one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glic_pyg.cli.main import main
from glic_pyg.codec import weights_store
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.models.glic import GLIC
from glic_pyg.models.released import released_name
from glic_pyg.models.weights import load_weights
from tests.reference.weights_from_names import weights_from_names


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    return weights_from_names(GLIC(), "convert")


@pytest.fixture(scope="module")
def checkpoint(released: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("released") / "glic.pth.tar"
    torch.save({"state_dict": released, "epoch": 1}, path)
    return path


def test_writes_weights_that_load(
    checkpoint: Path,
    released: dict[str, torch.Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "glic.safetensors"
    assert main(["convert", str(checkpoint), str(target)]) == 0
    assert "69,367,113 parameters" in capsys.readouterr().out
    name = "g_a.down.0.weight"
    torch.testing.assert_close(
        load_weights(target).get_parameter(name).detach(), released[released_name(name)]
    )
    assert main(["convert", str(checkpoint), str(target)]) == 1
    assert "--force" in capsys.readouterr().err


def test_a_full_disk_is_one_sentence(
    tmp_path: Path,
    full_disk: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(weights_store, "load_model", lambda path: Hyperprior(8, 8))
    source, target = tmp_path / "glic.pth.tar", tmp_path / "glic.safetensors"
    source.touch()
    full_disk(target)
    assert main(["convert", str(source), str(target)]) == 1
    said = capsys.readouterr().err
    assert said == f"glic convert: {target} could not be written (No space left on device).\n"
    assert list(tmp_path.iterdir()) == [source]


def test_partial_checkpoint_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": {"g_a.down0.weight": torch.zeros(1)}}, tmp_path / "part.pth.tar")
    assert main(["convert", str(tmp_path / "part.pth.tar"), str(tmp_path / "out.safetensors")]) == 1
    error = capsys.readouterr().err
    assert "missing" in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out.safetensors").exists()
