"""Every option of every group composes, and everything in it can be made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch.overrides import TorchFunctionMode

from glic_pyg.cli.config_values import check_values
from glic_pyg.cli.hydra import config_dir
from tests.cli.tiny_run import CONF as TINY

CONF = config_dir()
NEEDS = {  # what must be chosen beside an option that is not for every run
    "loss=rate_only": ["module.learns=[latent_codec]"],
    "schedule=published": ["data.stages=${schedule}"],
    "sweep=alphas": ["source=hyperprior_s"],
    "trainer=gpu": ["trainer.accelerator=cpu"],
}
PACKAGES = {
    "logger=default": "tensorboard",
    "logger=tensorboard": "tensorboard",
    "logger=mlflow": "mlflow",
    "logger=wandb": "wandb",
    "optim=muon": "pytorch_optimizer",
    "optim=soap": "pytorch_optimizer",
    "hydra/launcher=parallel": "hydra_plugins.hydra_joblib_launcher",
    "hydra/launcher=slurm": "hydra_plugins.hydra_submitit_launcher",
    "hydra/launcher=ray_cluster": "hydra_plugins.hydra_ray_launcher",
}
BACKBONES = "hyperprior autoregressive attention elic mlicpp glic"
GRAPHS = "released sobel_mean residual_mean residual_rms entropy_rms uniform local mesh union radius "
GRAPHS += "image_budget exact degree_16 degree_32 degree_128 degree_256 learned"


class WithoutInitialisation(TorchFunctionMode):
    """Weights are left as they are in memory: what is made is only looked at."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return (kwargs or {}).get("tensor", *args[:1])
        return func(*args, **(kwargs or {}))


def options() -> Iterator[str]:
    """All of them, as overrides of ``glic train``."""
    for path in sorted(CONF.rglob("*.yaml")):
        group, _, option = str(path.relative_to(CONF).with_suffix("")).rpartition("/")
        top = group.partition("/")[0]
        if top == "experiment":
            yield f"experiment={f'{group}/{option}'.partition('/')[2]}"
        elif top:
            yield f"{group}={option}"


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Any]:
    """Composes a configuration as a run in tmp_path would see it."""

    def make(*overrides: str) -> DictConfig:
        here = [f"paths.runs={tmp_path}", f"hydra.searchpath=[file://{TINY}]"]
        cfg = compose("train", [*here, *overrides], return_hydra_config=True)
        OmegaConf.set_readonly(cfg.hydra, False)
        cfg.hydra.runtime.output_dir = str(tmp_path)
        HydraConfig.instance().set_config(cfg)
        return cfg

    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield make
    GlobalHydra.instance().clear()


@pytest.mark.parametrize("option", list(options()))
def test_everything_can_be_made(option: str, composed: Any) -> None:
    if option in PACKAGES:
        pytest.importorskip(PACKAGES[option])
    of_its_own = ("model=", "graph=", "rate=", "experiment=", "loss=rate_only")
    small = [] if option.startswith(of_its_own) else ["model=tiny"]
    cfg = composed(option, *small, *NEEDS.get(option, []))
    check_values(cfg)
    with WithoutInitialisation():
        made = {name: instantiate(cfg[name]) for name in ("module", "data")}
    made |= {f"callbacks.{name}": instantiate(part) for name, part in cfg.callbacks.items() if part}
    made |= {f"logger.{name}": instantiate(part) for name, part in cfg.logger.items()}
    made["trainer"] = instantiate(cfg.trainer)
    assert None not in made.values()
    made["module"].trainer = made["trainer"]
    assert len(made["module"].configure_optimizers()[0]) >= 2 - (cfg.module.quantile_optimizer is None)


@pytest.mark.parametrize(
    ("sweep", "loss", "rates"),
    [
        ("lambdas", "rate_distortion", "0.0017 0.0035 0.0067 0.013 0.025 0.05"),
        ("lambdas_ms_ssim", "ms_ssim", "2.4 4.58 8.73 16.64 31.73 60.5"),
    ],
)
def test_the_published_recipe_takes_each_rate(sweep: str, loss: str, rates: str, composed: Any) -> None:
    swept = str(composed(f"sweep={sweep}").hydra.sweeper.params["loss.lmbda"])
    assert swept.split(",") == rates.split()
    for rate in rates.split():
        cfg = composed("experiment=published", f"loss={loss}", f"loss.lmbda={rate}")
        assert cfg.loss.lmbda == float(rate) and cfg.steps > 1_000_000
        assert ("structural_dissimilarity" in cfg.loss.distortion.path) == (loss == "ms_ssim")


def test_the_published_recipe_is_the_authors(composed: Any) -> None:
    """Crops without flips, cuDNN's search, and the quantiles at 1e-3 until epoch 500, then at 1e-5."""
    cfg = composed("experiment=published")
    assert (cfg.data.flips, cfg.data.keep, cfg.trainer.benchmark) == (False, "disk", True)
    codec, quantiles = instantiate(cfg.schedule), instantiate(cfg.module.quantile_schedule)
    drop = codec.stages[1].start
    assert drop == round(cfg.steps * 500 / 870)
    assert [codec(step) for step in (drop - 1, drop, cfg.steps)] == [1.0, 0.1, 0.1]
    rate = instantiate(cfg.optim.quantiles).keywords["lr"]
    assert [rate * quantiles(step) for step in (drop - 1, drop, cfg.steps)] == [1e-3, 1e-5, 1e-5]


@pytest.mark.parametrize("setting", [f"graph={name}" for name in GRAPHS.split()] + ["model.gfa_in=encoder"])
def test_an_ablation_varies_the_same_in_a_short_and_a_full_run(setting: str, composed: Any) -> None:
    full, short = (composed(f"experiment={name}", setting) for name in ("published", "ablation"))
    assert full.model.widths == [128, 192, 192, 320] and full.steps > 1_000_000
    assert short.model.widths[0] == 32 and short.steps < 1000
    for key in ("graph", "gfa_in", "context_gfa_depth"):
        assert short.model[key] == full.model[key]


@pytest.mark.parametrize(
    ("sweep", "key", "values"), [("ablation", "graph", GRAPHS), ("regularized", "model", BACKBONES)]
)
def test_sweeps_over_names(sweep: str, key: str, values: str, composed: Any) -> None:
    listed = composed(f"sweep={sweep}").hydra.sweeper.params[key].replace(" ", "").split(",")
    assert sorted(listed) == sorted(values.split())
    for value in listed:
        assert composed(f"{key}={value}").model


@pytest.mark.parametrize("backbone", BACKBONES.split())
def test_every_backbone_is_regularized_by_the_source_model_of_its_name(backbone: str, composed: Any) -> None:
    cfg, source = (
        composed("experiment=regularized", f"model={backbone}"),
        composed(f"source={backbone}").source,
    )
    assert cfg.source.model == source.model and cfg.source.ramp > 0 and cfg.steps > 1_000_000
    assert cfg.model._target_ == composed(f"model={backbone}").model._target_
