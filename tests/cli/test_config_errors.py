"""What a wrong setting gets: one sentence, no traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hydra.utils import instantiate

from glic_pyg.cli import config_errors
from glic_pyg.cli.hydra_app import run_hydra_app


def refusal(*arguments: str) -> str:
    """What ``glic train`` says before it ends."""
    with pytest.raises(SystemExit) as end:
        run_hydra_app("train", print, arguments)
    assert isinstance(end.value.code, str) and "\n" not in end.value.code
    return end.value.code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["loss.lmda=0.1"], "glic train: there is no setting loss.lmda; did you mean loss.lmbda?"),
        (["~loss.lmda"], "glic train: there is no setting loss.lmda; did you mean loss.lmbda?"),
        (["modle=glic"], "glic train: there is no setting modle; did you mean module or model?"),
        (["zzz=1"], "glic train: there is no setting zzz; glic train --cfg job shows what there is."),
        (["model=glic_x"], "glic train: there is no model=glic_x; did you mean glic_xs?"),
        (["-m", "loss.lmda=1,2", "seed=3"], "there is no setting loss.lmda; did you mean loss.lmbda?"),
        (["loss.lmbda=[1"], "glic train: cannot read loss.lmbda=[1: no viable alternative"),
        (["--cfg", "job", "seed=1,2"], "seed=1,2 is several values: a sweep over them takes -m"),
        (["-m", "--help", "name=a,'b'"], r"name=[a,'b'] is a list, name=\'a,'b'\' a text."),
        (["name=${nothing}"], "Interpolation key 'nothing' not found"),
    ],
)
def test_a_wrong_setting_is_one_sentence(arguments: list[str], sentence: str) -> None:
    assert sentence in refusal(*arguments)


def test_options_are_listed_when_none_is_near() -> None:
    said = refusal("trainer=zzz")
    assert said.startswith("glic train: there is no trainer=zzz; choose one of ")
    assert "gpu" in said


@pytest.mark.parametrize("package", ["joblib", "submitit_slurm", "ray"])
def test_a_launcher_that_is_not_installed(package: str) -> None:
    said = config_errors._missing_file(f"hydra/launcher/{package}", ("basic",))
    assert said.startswith("this launcher needs the package hydra-") and "pip install 'glic-pyg[" in said


@pytest.mark.parametrize("option", ["muon", "soap"])
def test_an_optimizer_that_is_not_installed(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    monkeypatch.delitem(sys.modules, "glic_pyg.training.optimizers", raising=False)
    monkeypatch.delattr("glic_pyg.training.optimizers", raising=False)
    with pytest.raises(SystemExit) as end:
        run_hydra_app(
            "train", lambda cfg: instantiate(cfg.optim), [f"optim={option}", f"paths.runs={tmp_path}"]
        )
    assert end.value.code == (
        "glic train: this needs the package pytorch_optimizer: pip install 'glic-pyg[optim]'."
    )


def test_a_constructor_says_what_it_does_not_like(tmp_path: Path) -> None:
    def build(cfg) -> None:
        instantiate(cfg.loss)

    place = f"paths.runs={tmp_path}"
    for override, sentence in {
        "loss.lmbda=-1": "glic train: loss: lmbda must be positive, got -1.",
        "+loss.colour=red": "got an unexpected keyword argument 'colour'",
    }.items():
        with pytest.raises(SystemExit) as end:
            run_hydra_app("train", build, [place, override])
        assert sentence in str(end.value.code)
