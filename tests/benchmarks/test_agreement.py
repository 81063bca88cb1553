"""The table of decoders: who agreed with the encoder, and that one who did not is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks import agreement
from benchmarks.agreement import main
from benchmarks.decoder_settings import SETTINGS
from tests.tiny_backbone import TinyBackbone


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A model that takes no time and two images."""
    images = [tmp_path / f"{number}.png" for number in range(2)]
    for path in images:
        Image.radial_gradient("L").resize((96, 64)).convert("RGB").save(path)
    monkeypatch.setattr(agreement, "build_model", lambda name: TinyBackbone())
    return [*map(str, images), "--models", "tiny.safetensors", "--markdown"]


def rows(printed: str) -> dict[str, list[str]]:
    """Cells by the decoder's name."""
    cells = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| tiny")]
    return {decoder: rest for _, decoder, *rest in cells}


def test_every_decoder_has_a_row(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    found = rows(capsys.readouterr().out)
    assert list(found) == [*SETTINGS, *(["a GPU"] if torch.cuda.is_available() else [])]
    assert all(equal == "2 of 2" for equal, *_ in found.values())
    assert all(float(share.rstrip(" %")) >= 99.9 for _, share, _ in found.values())


def test_a_decoder_that_computes_something_else_is_counted(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that move while oneDNN is off stand for a kernel that is wrong."""

    class Sick(TinyBackbone):
        def code_latents(self, *args, **options) -> torch.Tensor:
            self.context[0].bias.data += 0.0 if torch.backends.mkldnn.enabled else 1e-3
            return super().code_latents(*args, **options)

    monkeypatch.setattr(agreement, "build_model", lambda name: Sick())
    monkeypatch.setattr(agreement, "SETTINGS", {k: SETTINGS[k] for k in ("inside autocast", "oneDNN off")})
    assert main(arguments) == 1
    equal = {decoder: cells[0] for decoder, cells in rows(capsys.readouterr().out).items()}
    assert equal == {"inside autocast": "2 of 2", "oneDNN off": "0 of 2"}


def test_pixels_that_moved_are_told(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Brighter(TinyBackbone):
        def g_s(self, y_hat: torch.Tensor) -> torch.Tensor:
            x_hat = super().g_s(y_hat)
            x_hat[..., :8, :12] += 0.0 if torch.backends.mkldnn.enabled else 5 / 255
            return x_hat

    monkeypatch.setattr(agreement, "build_model", lambda name: Brighter())
    assert main(arguments) == 0
    equal, share, largest = rows(capsys.readouterr().out)["oneDNN off"]
    assert (equal, largest) == ("2 of 2", "5")
    assert float(share.rstrip(" %")) == pytest.approx(100 * (1 - 8 * 12 / (64 * 96)), abs=1e-3)
