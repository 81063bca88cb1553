"""Parts of a model that learn while the others stand still, and the rate as the only objective."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from glic_pyg.errors import TrainingError
from glic_pyg.models.base import Codec
from glic_pyg.models.glic import GLIC
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.module import CodecModule
from glic_pyg.training.optimizers import freeze_all_but
from tests.models.conftest import TINY
from tests.training.quiet_trainer import quiet_trainer

LEVELS = (0.001, 0.004, 0.016)


def module_of(model: Codec, loss: RateDistortionLoss, **options) -> CodecModule:
    options = {"quantile_optimizer": None, "ema_decay": None, **options}
    return CodecModule(
        model, loss, lambda p: torch.optim.Adam(p, lr=1e-2), schedule=lambda step: 1.0, **options
    )


class Watched(nn.Module):
    """g_s, and whether it ran in training."""

    def __init__(self, g_s: nn.Module) -> None:
        super().__init__()
        self.g_s, self.ran = g_s, False

    def forward(self, y_hat: Tensor) -> Tensor:
        self.ran |= self.training
        return self.g_s(y_hat)


def glic() -> GLIC:
    torch.manual_seed(1)
    return GLIC(**TINY, levels=LEVELS)


def train(module: CodecModule) -> dict[str, Tensor]:
    """Two steps on noise; what was logged."""
    batches = DataLoader(torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(2)), batch_size=2)
    trainer = quiet_trainer(2)
    trainer.fit(module, batches, DataLoader(torch.rand(1, 3, 128, 128)))
    return dict(trainer.callback_metrics)


@pytest.mark.parametrize("parts", [["latent_codec"], ["g_a"], ["g_s", "latent_codec"]])
def test_only_the_named_parts_move(parts) -> None:
    module = module_of(glic(), RateDistortionLoss(), learns=parts)
    before = {name: p.clone() for name, p in module.model.named_parameters()}
    train(module)
    moved = {n.partition(".")[0] for n, p in module.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved - {"latent_codec"} == set(parts) - {"latent_codec"}  # quantiles are solved in any case
    still = [n for n, p in before.items() if n.partition(".")[0] not in parts and "quantiles" not in n]
    assert all(torch.equal(module.model.get_parameter(n), before[n]) for n in still)


def test_of_the_rate_alone_the_entropy_model_learns_the_same_and_nothing_is_reconstructed() -> None:
    """The gradient of y_hat goes past rounding to the latents: D teaches the entropy model nothing."""
    learned = []
    for rate_only in (False, True):
        module = module_of(glic(), RateDistortionLoss(rate_only=rate_only), learns=["latent_codec"])
        module.model.g_s = Watched(module.model.g_s)
        logged = train(module)
        assert module.model.g_s.ran is not rate_only
        assert ("train/psnr" in logged) is not rate_only
        learned.append((logged["train/bpp"], dict(module.model.latent_codec.named_parameters())))
    (bpp, whole), (bpp_alone, alone) = learned
    torch.testing.assert_close(bpp_alone, bpp)
    for name, parameter in whole.items():
        torch.testing.assert_close(alone[name], parameter, rtol=1e-4, atol=1e-6)


def test_validation_tells_rate_and_distortion_all_the_same() -> None:
    loss = RateDistortionLoss(rate_only=True)
    module = module_of(glic(), loss, learns=["latent_codec"], val_qualities=[50])
    trainer = quiet_trainer(1)
    trainer.validate(module, DataLoader(torch.rand(1, 3, 128, 128)), verbose=False)
    metrics = trainer.callback_metrics
    assert metrics["val/loss@50"] > metrics["val/bpp@50"] > 0 and metrics["val/psnr@50"] > 0


def test_fixed_factors_of_a_part_that_learns_stay_fixed() -> None:
    model = GLIC(**TINY, conditioned=True)
    fixed = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert any(name.startswith("latent_codec") for name in fixed)
    freeze_all_but(model, ["latent_codec"])
    assert fixed <= {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def test_parts_have_names() -> None:
    with pytest.raises(TrainingError, match="GLIC, which has g_a, g_s, latent_codec, rates, not gs"):
        freeze_all_but(glic(), ["g_s", "gs"])
    with pytest.raises(TrainingError, match="not none of them"):
        freeze_all_but(glic(), [])


@pytest.mark.parametrize("learns", [None, ["g_s"], ["g_a", "latent_codec"]])
def test_the_rate_alone_teaches_nothing_but_the_entropy_model(learns) -> None:
    with pytest.raises(TrainingError, match=r"Set module\.learns=\[latent_codec\]"):
        module_of(glic(), RateDistortionLoss(rate_only=True), learns=learns)
