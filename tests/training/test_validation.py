"""What is measured on whole images, of any size."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from glic_pyg.metrics import ms_ssim, psnr
from glic_pyg.regularizer.families import HyperpriorSource
from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.training.data import ImageDataModule
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.validation import measure_image, pad_to_multiple
from tests.training.tiny_codec import TinyCodec

LOSS = RateDistortionLoss(0.01, ortho_weight=5.0)


@pytest.fixture
def codec() -> TinyCodec:
    torch.manual_seed(3)
    return TinyCodec().eval()


def image(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))


def test_figures_are_those_of_the_whole_image(codec: TinyCodec) -> None:
    x = image(162, 170)
    figures, x_hat = measure_image(codec, x, LOSS)
    padded = torch.nn.functional.pad(x, (0, 6, 0, 14), mode="replicate")
    with torch.no_grad():
        out = codec(padded)
    assert torch.equal(x_hat, out["x_hat"][..., :162, :170].clamp(0, 1))
    bits = -out["likelihoods"]["y"].log2().sum()
    assert figures["bpp"].item() == pytest.approx(bits.item() / (162 * 170))
    squared_error = (x_hat - x).square().mean()
    assert figures["loss"].item() == pytest.approx((figures["bpp"] + 0.01 * 255**2 * squared_error).item())
    assert figures["psnr"] == psnr(x_hat, x) and figures["ms_ssim"] == ms_ssim(x_hat, x)
    assert figures["ms_ssim_db"].item() == pytest.approx(-10 * (1 - figures["ms_ssim"]).log10().item())


def test_small_images_have_no_ms_ssim(codec: TinyCodec) -> None:
    figures, _ = measure_image(codec, image(160, 200), LOSS)
    assert figures.keys() == {"bpp", "psnr", "loss"}


def test_padding_adds_nothing_to_the_source_entropy(codec: TinyCodec) -> None:
    regularizer = Regularizer(partial(HyperpriorSource, width=8, patch=4), alpha=0.1)
    x = image(30, 33)
    figures, _ = measure_image(codec, x, LOSS, regularizer=regularizer)
    assert 0 < figures["H_theta"] < 3 * 29.9, "at most the floor of the likelihood, in bits per sample"
    whole = image(32, 48)
    figures, _ = measure_image(codec, whole, LOSS, regularizer=regularizer)
    with torch.no_grad():
        bits = regularizer.model(whole, codec(whole)["x_hat"]).sum()
    assert figures["H_theta"].item() == pytest.approx(bits.item() / (32 * 48))


def test_ms_ssim_is_logged(make_module, make_trainer, tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((176, 162)).save(tmp_path / "large.png")
    Image.radial_gradient("L").resize((176, 60)).save(tmp_path / "small.png")
    trainer = make_trainer(1)
    data = ImageDataModule(str(tmp_path), str(tmp_path), 1, batch_size=1, crop=32, seed=7)
    trainer.fit(make_module(), data)
    assert {"val/bpp", "val/psnr", "val/ms_ssim_db"} <= trainer.callback_metrics.keys()
    assert 0 < trainer.callback_metrics["val/ms_ssim"] < 1


@pytest.mark.parametrize("size", [(1, 1), (16, 17), (33, 15), (32, 32)])
def test_edges_are_repeated(size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    padded = pad_to_multiple(x, 16)
    height, width = size
    assert padded.shape[-2] % 16 == padded.shape[-1] % 16 == 0
    assert padded.shape[-2] - height < 16 and padded.shape[-1] - width < 16
    assert torch.equal(padded[..., :height, :width], x)
    assert (padded[..., height:, width:] == x[..., -1:, -1:]).all()
