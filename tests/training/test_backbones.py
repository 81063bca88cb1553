"""Every backbone takes a step, with every source model, in every precision."""

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from compressai.models import ScaleHyperprior

from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.training.optimizers import parameter_groups
from tests.contracts.backbones import BACKBONES, untrained
from tests.regularizer.conftest import TINY as SOURCES


@pytest.fixture
def image() -> str:
    """A folder with two."""
    return str(Path(__file__).parents[2] / "data" / "samples")


def one_step(make_module, make_trainer, data, name: str, **options: Any) -> tuple[Any, dict[str, float]]:
    """A regularized step of a backbone with the source model of the same name."""
    family = name.split()[0]
    regularizer = Regularizer(SOURCES[family], alpha=0.01)
    adam = partial(torch.optim.Adam, lr=1e-3)
    module = make_module(
        model=untrained(name), regularizer=regularizer, source_optimizer=adam, ema_decay=None
    )
    trainer = make_trainer(1, **options)
    trainer.fit(module, data)
    return module, {key: value.item() for key, value in trainer.callback_metrics.items()}


@pytest.mark.parametrize("name", BACKBONES)
def test_a_step_in_float32_and_in_bfloat16(make_module, make_trainer, make_data, image, name) -> None:
    figures = []
    for precision in ("32-true", "bf16-mixed"):
        data = make_data(1, root=image, batch_size=1, crop=untrained(name).multiple)
        before = {key: value.clone() for key, value in untrained(name).state_dict().items()}
        module, seen = one_step(make_module, make_trainer, data, name, precision=precision)
        groups = parameter_groups(module.model, module.regularizer.model)
        after = module.model.state_dict()
        still = [key for key in groups.codec if torch.equal(after[key], before[key])]
        assert len(still) < len(groups.codec) / 3, still
        assert all(p.isfinite().all() and p.dtype == torch.float32 for p in module.parameters())
        figures.append(seen)
    exact, half = figures
    for key in ("train/bpp", "train/psnr", "train/H_theta"):
        assert half[key] == pytest.approx(exact[key], rel=0.02)


@pytest.fixture(scope="module")
def reconstructed() -> dict[str, tuple[torch.nn.Module, torch.Tensor, torch.Tensor]]:
    """Every backbone, an image, and its reconstruction by the backbone, attached to its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randint(256, (1, 3, 128, 128)) / 255
        models = {name: untrained(name).train() for name in BACKBONES}
        return {name: (model, x, model(x)["x_hat"]) for name, model in models.items()}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", BACKBONES)
def test_every_source_model_serves_every_backbone(reconstructed, name: str, source: str) -> None:
    model, x, x_hat = reconstructed[name]
    regularizer = Regularizer(SOURCES[source], alpha=0.01)
    term = regularizer.codec_term(x, x_hat, step=0)
    moved = [parameter for parameter in model.g_s.parameters() if parameter.requires_grad]
    pulls = torch.autograd.grad(term.loss, moved, retain_graph=True, allow_unused=True)
    assert any(pull is not None and pull.abs().sum() > 0 for pull in pulls)
    assert all(p.grad is None for p in regularizer.parameters())
    regularizer.source_loss(x, x_hat).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in regularizer.parameters())
    assert all(p.grad is None for p in model.parameters())
    assert 0 < -term.loss.item() / 0.01 < 90


def test_a_model_of_compressai_trains_as_it_is(make_module, make_data, make_trainer) -> None:
    """What the base class defaults to suffices: multiples of its strides, no orthogonality, its quantiles."""
    torch.manual_seed(0)
    module = make_module(model=ScaleHyperprior(8, 12))
    assert module.model.multiple == 64 and module.model.rates is None
    before = copy.deepcopy(module.state_dict())
    make_trainer(2).fit(module, make_data(2, crop=64, small="mirror"))
    moved = {
        name for name, value in module.model.named_parameters() if (value != before[f"model.{name}"]).any()
    }
    assert "model.entropy_bottleneck.quantiles" in moved and "model.g_a.0.weight" in moved
    assert module.model.ortho_loss() == 0 and module.model.aux_loss() == module.model.model.aux_loss()
    with pytest.raises(NotImplementedError, match="can be trained, but writes no files"):
        module.model.code_latents(None, shape=(4, 4))
