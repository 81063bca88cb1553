"""A value of the wrong kind is one sentence with the setting, the value and what is allowed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor

from glic_pyg.cli.config_values import check_value, check_values
from glic_pyg.cli.hydra import config_dir, explain
from glic_pyg.cli.test import main as measure
from glic_pyg.cli.train import main as train
from glic_pyg.errors import GlicError
from tests.cli.tiny_run import tiny_options

SEED = "seed must be from 0 to 4294967295, not "
OF_TRAINING = {
    "data.batch_size=abc": "data.batch_size must be a whole number, not abc.",
    "data.batch_size=[1]": "data.batch_size must be a whole number, not [1].",
    "data.batch_size=0": "data: batch_size must be at least 1, not 0.",
    "data.num_workers=-1": "data: num_workers must be at least 0, not -1.",
    "data.keep=tape": "data.keep must be one of disk, memory, device, not tape.",
    "data.root=5": "data.root must be a text or a list of texts, not 5.",
    "data.stages=5": "data.stages must be an object with its _target_ or null, not 5.",
    "data.flips=maybe": "data.flips must be true or false, not maybe.",
    "seed=-1": f"{SEED}-1.",
    "seed=4294967296": f"{SEED}4294967296.",
    "seed=1.5": "seed must be a whole number, not 1.5.",
    "steps=1e3": "steps must be a whole number, not 1000.0.",
    "steps=0": "steps must be at least 1, not 0.",
    "steps=null": "steps must be a whole number, not null.",
    "threads=all": "threads must be a whole number or null, not all.",
    "loss.lmbda=nan": "loss.lmbda must be a number, not nan.",
    "loss.lmbda=inf": "loss: lmbda must be positive, got inf.",
    "loss.ortho_weight=-1": "loss: ortho_weight must not be negative, got -1.",
    "loss.distortion=5": "loss.distortion must be an object with its _target_, not 5.",
    "optim.codec=null": "optim.codec must be an object with its _target_, not null.",
    "optim.codec.lr=fast": "optim.codec.lr must be a number, not fast.",
    "+optim.codec.betas=[0.9]": "optim.codec.betas must be a list of 2 numbers, not [0.9].",
    "schedule.warmup_steps=-1": "schedule: schedule warmup_steps must not be negative, got -1.",
    "module.clip_norm=0": "module: clip_norm must be above 0, or null for none, not 0.",
    "module.solve_every=0": "module: solve_every must be at least 1, not 0.",
    "module.max_skipped=0": "module: max_skipped must be at least 1, not 0.",
    "module.val_qualities=5": "module.val_qualities must be a list of numbers, not 5.",
    "module.val_qualities=[]": "module: val_qualities must be numbers from 0 to 100, not [].",
    "module.val_qualities=[0,200]": "module: val_qualities must be numbers from 0 to 100, not [0, 200].",
    "module.lr_scales=5": "module.lr_scales must be a group of settings or null, not 5.",
    "trainer.val_check_interval=0": "trainer.val_check_interval must be at least 1, not 0.",
    "trainer.accelerator=abacus": "You selected an invalid accelerator name: `accelerator='abacus'`",
    "callbacks.progress.every_n_steps=0": "callbacks.progress: every_n_steps must be at least 1, not 0.",
    "callbacks.last_checkpoint.every_n_steps=0": "last_checkpoint: every_n_steps must be at least 1, not 0.",
    "callbacks.speed=5": "callbacks.speed must be an object with its _target_ or null, not 5.",
    "ckpt_path=[]": "ckpt_path must be a text or null, not [].",
}
OF_COMMANDS = {
    "data.batch_size=abc": "data.batch_size must be a whole number, not abc.",
    "seed=-1": f"{SEED}-1.",
    "optim.codec.lr=-1": "optim.codec makes no optimizer: Invalid learning rate: -1.",
    "+optim.codec.speed=1": "optim.codec makes no optimizer: Adam.__init__() got an unexpected keyword",
    "callbacks=null": "callbacks=null is no option of the group; choose one of compiled, default",
    "model=5": "model=5 is no option of the group; choose one of attention, ",
    "ckpt_path=": "ckpt_path must be a text or null, not ''.",
    "name=[a]": "name must be a text or a number, not [a].",
    "paths.runs=null": "paths.runs must be a text, not null.",
    "start_from=pyproject.toml": "pyproject.toml is neither a weights file nor a checkpoint: its contents",
}
OF_TEST = {
    "qualities=50": "qualities must be a list of numbers, not 50.",
    "qualities=[high]": "qualities must be a list of numbers, not [high].",
    "qualities=[]": "qualities must name at least one",
    "qualities=[101]": "qualities must be numbers from 0 to 100, not 101.",
    "images=[a,b]": "images must be a text, not [a, b].",
    "images=": "images must name at least one",
    "weights=[]": "weights must name at least one",
    "weights=5": "weights must be a text, a list of texts or null, not 5.",
    "codecs=5": "codecs must be a text or a list of texts, not 5.",
    "precision=half": "precision must be one of float32, bf16, not half.",
    "max_pixels=0": "max_pixels must be at least 1, not 0.",
    "device=null": "device must be a text, not null.",
    "paths.data=null": "paths.data must be a text, not null.",
}


def refusal(command: Callable[[Sequence[str]], int], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        command(arguments)
    assert isinstance(end.value.code, str) and "\n" not in end.value.code
    return end.value.code


def complaint(cfg: DictConfig) -> str:
    """What is said about a configuration when a run begins, without the command around it."""
    with pytest.raises((GlicError, InstantiationException)) as caught:
        check_values(cfg)
        for part in (cfg.module, cfg.data, *cfg.callbacks.values(), cfg.trainer):
            instantiate(part)
    error = caught.value
    return str(error) if isinstance(error, GlicError) else explain(error, "train")


@pytest.fixture(scope="module")
def cfg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DictConfig]:
    """The configuration of a tiny run."""
    folder = tmp_path_factory.mktemp("run")
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        whole = compose("train", tiny_options(folder), return_hydra_config=True)
    with open_dict(whole):
        whole.hydra.runtime.output_dir = str(folder)
        HydraConfig.instance().set_config(copy.deepcopy(whole))
        del whole["hydra"]
    yield whole
    HydraConfig.instance().cfg = None


@pytest.mark.parametrize("override", OF_TRAINING)
def test_training(override: str, cfg: DictConfig) -> None:
    [parsed] = OverridesParser.create().parse_overrides([override])
    changed = copy.deepcopy(cfg)
    OmegaConf.update(changed, parsed.key_or_group, parsed.value(), force_add=True)
    assert OF_TRAINING[override] in complaint(changed)


@pytest.mark.parametrize("override", OF_COMMANDS)
def test_the_command_says_so_and_leaves_nothing(override: str, tmp_path: Path) -> None:
    said = refusal(train, *tiny_options(tmp_path), "name=a", override)
    assert said.startswith("glic train: ") and OF_COMMANDS[override] in f"{said.rstrip('.')}."
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("override", OF_TEST)
def test_measuring(override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = refusal(measure, "images=images", f"paths.runs={tmp_path}/runs", "name=a", override)
    assert said.startswith("glic test: ") and OF_TEST[override] in said
    assert not list(tmp_path.iterdir())


class Thing:
    """An object that a setting may be."""


@pytest.mark.parametrize(
    ("hint", "allowed", "words"),
    [
        (int, [0, -3], "a whole number"),
        (float, [1, 0.5, float("inf")], "a number"),
        (bool, [True], "true or false"),
        (str | Path | Sequence[str | Path], ["x", ["x", "y"], []], "a text or a list of texts"),
        (int | None, [3, None], "a whole number or null"),
        (Literal["a", "b"] | Literal["c", 4] | None, ["a", 4, None], "one of a, b, c, 4 or null"),
        (tuple[float, float], [[1, 2], (0.5, 1)], "a list of 2 numbers"),
        (tuple[float, ...], [[], [1], [1, 2, 3]], "a list of numbers"),
        (float | Tensor, [1.0], "a number"),
        (Mapping[str, float] | None, [{"x": 1}, {}, None], "a group of settings or null"),
        (Callable[[int], int], [{"_target_": "x"}], "an object with its _target_"),
        (Thing | None, [None, {"_target_": "x"}], "an object with its _target_ or null"),
    ],
)
def test_kinds(hint: Any, allowed: list[Any], words: str) -> None:
    values = [
        0,
        -3,
        1,
        0.5,
        3,
        1.0,
        True,
        "x",
        "a",
        None,
        [],
        [1],
        [1, 2],
        ["x", "y"],
        {"x": 1},
        float("nan"),
    ]
    for value in allowed:
        check_value("key", value, hint)
    refused = [value for value in values if not any(value is one or value == one for one in allowed)]
    said = []
    for value in refused:
        try:
            check_value("key", value, hint)
        except GlicError as error:
            said.append(str(error))
    assert said and all(one.startswith(f"key must be {words}, not ") for one in said)


def test_anything_goes_where_the_hint_does_not_tell() -> None:
    for value in (1, "x", None, [1]):
        check_value("key", value, Any)
        check_value("key", value, "a hint that is a text")
