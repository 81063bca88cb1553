"""A wrong setting, and options of Hydra that contradict each other: one sentence, no traceback."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from torch import nn

from glic_pyg.cli.hydra import _missing_file, quote_paths, quoted, run_hydra_app

SHOW = "glic train --cfg job shows what there is."


def refusal(*arguments: str) -> str:
    """What ``glic train`` says before it ends."""
    with pytest.raises(SystemExit) as end:
        run_hydra_app("train", print, arguments)
    assert isinstance(end.value.code, str) and "\n" not in end.value.code
    return end.value.code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["loss.lmda=0.1"], f"glic train: Could not override 'loss.lmda'. {SHOW}"),
        (["~loss.lmda"], "glic train: Could not delete from config. 'loss.lmda' does not exist."),
        (["zzz=1"], f"glic train: Could not override 'zzz'. {SHOW}"),
        (["model=glic_x"], "glic train: there is no model=glic_x; did you mean glic_xs?"),
        (["-m", "loss.lmda=1,2", "seed=3"], f"Could not override 'loss.lmda'. {SHOW}"),
        (["loss.lmbda=[1"], "glic train: cannot read loss.lmbda=[1: no viable alternative"),
        (["--cfg", "job", "seed=1,2"], "To sweep over it, add --multirun to your command line"),
        (["-m", "--help", "name=a,'b'"], "Ambiguous value for argument 'name=a,'b''"),
        (["zzz"], "glic train: zzz is no setting; one is written key=value."),
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
    said = _missing_file(f"hydra/launcher/{package}", ("basic",))
    assert said.startswith("this launcher needs the package hydra-") and "pip install 'glic-pyg[" in said


@pytest.mark.parametrize("option", ["muon", "soap"])
def test_an_optimizer_that_is_not_installed(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    monkeypatch.delitem(sys.modules, "glic_pyg.training.optimizers", raising=False)
    monkeypatch.delattr("glic_pyg.training.optimizers", raising=False)

    def build(cfg: DictConfig) -> None:
        instantiate(cfg.optim)["codec"]([nn.Parameter(torch.zeros(2, 2))])

    with pytest.raises(SystemExit) as end:
        run_hydra_app("train", build, [f"optim={option}", f"paths.runs={tmp_path}"])
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


ONE_TASK = "Only one of --run, --multirun, --cfg, --info and --shell_completion can be specified."


def no_job(cfg: DictConfig) -> NoReturn:
    """What is only shown is not done."""
    pytest.fail(f"a job was started: {cfg}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-m", "threads=1,2", "--cfg", "job"], ONE_TASK),
        (["threads=1,2", "-m", "-c", "all"], ONE_TASK),
        (["--multirun", "--info"], ONE_TASK),
        (["--info", "defaults", "-m"], ONE_TASK),
        (["-m", "-sc", "install=bash"], ONE_TASK),
        (["--run", "--cfg", "job"], ONE_TASK),
        (
            ["--resolve", "threads=1"],
            "The --resolve flag can only be used in conjunction with --cfg or --help.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["train", "test"])
def test_one_sentence_and_the_code_of_wrong_usage(
    command: str, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        run_hydra_app(command, no_job, arguments)
    assert end.value.code == 2
    assert capsys.readouterr() == ("", f"glic {command}: {sentence}\n")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--cfg", "job", "--resolve", "threads=7"], "\nthreads: 7\n"),
        (["--info", "defaults", "threads=7"], "Defaults List"),
        (["-m", "--help"], "prints every setting"),
        (["-m", "--hydra-help"], "--multirun,-m : Run multiple jobs"),
    ],
)
def test_what_goes_together_is_shown(
    arguments: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        run_hydra_app("train", no_job, arguments)
    except SystemExit as end:
        assert end.code == 0
    assert shown in capsys.readouterr().out


def test_an_option_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run_hydra_app("train", no_job, ["--cgf", "job"])
    assert end.value.code == 2
    assert "glic train: error: unrecognized arguments: --cgf" in capsys.readouterr().err


def read(override: str) -> object:
    """The value as Hydra's grammar reads it, with interpolation as in a configuration."""
    [parsed] = OverridesParser.create().parse_overrides([override])
    return OmegaConf.to_container(OmegaConf.create({"value": parsed.value()}), resolve=True)["value"]


NAMES = [
    "é",
    "写真",
    "a (1)",
    "a#b",
    "a & b",
    "[x]",
    "a[1-3]b",
    "it's",
    'a "b"',
    "a=b,c=d",
    "100%",
    "a{b}",
    "${x}",
    "a:b",
    "a;b*?!",
    "back\\slash",
    "ends with\\",
    "\\'",
    "null and void",
    "2024",
    "1e3",
    "true",
    "😀",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["data.root", "images", "weights"])
def test_a_path_that_exists_needs_no_quotes(
    key: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert read(quote_paths(f"{key}={name}")) == name
    assert read(quote_paths(f"{key}={tmp_path / name}")) == str(tmp_path / name)
    (tmp_path / "plain").mkdir()
    assert read(quote_paths(f"{key}=[{name},plain]")) == [name, "plain"]
    swept = quote_paths(f"{key}=plain,{name}")
    [parsed] = OverridesParser.create().parse_overrides([swept])
    assert parsed.is_sweep_override() and swept.startswith(f"{key}=plain,")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_text_in_quotes_is_that_text(text: str) -> None:
    assert read(f"x={quoted(text)}") == text


@pytest.mark.parametrize(
    "argument",
    [
        "steps=4",
        "steps=4,8",
        "-m",
        "data.root=null",
        "loss.lmbda=[1",
        "qualities=[4,8]",
        "name=4",
        "x='4 b'",
        "~x",
    ],
)
def test_what_is_no_path_stays(argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if something in the folder has its name."""
    monkeypatch.chdir(tmp_path)
    for name in ("4", "8", "null", "4 b"):
        (tmp_path / name).touch()
    assert quote_paths(argument) == argument


def test_a_folder_of_a_sweep_that_is_not_there_yet_is_read_as_it_stands() -> None:
    assert read(quote_paths("start_from=runs/a/loss.lmbda=0.05")) == "runs/a/loss.lmbda=0.05"
    assert read(quote_paths("start_from='runs/a/loss.lmbda=0.05'")) == "runs/a/loss.lmbda=0.05"
    assert quote_paths("data.root=${paths.data}") == "data.root=${paths.data}"


@pytest.mark.parametrize("content", [None, b"", b"nonsense", pickle.dumps({"a": 1})])
def test_nothing_to_rerun(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("config.pickle").write_bytes(content)
    with pytest.raises(SystemExit) as end:
        run_hydra_app("train", no_job, ["--experimental-rerun", "config.pickle"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    what = (
        "config.pickle is no configuration to rerun"
        if content is not None
        else "There is no file config.pickle"
    )
    assert said.startswith(f"glic train: {what}") and said.count("\n") == 1


@pytest.mark.filterwarnings("ignore:.*[Ee]xperimental rerun")
def test_what_a_callback_has_kept_can_be_rerun(tmp_path: Path) -> None:
    keep = "+hydra.callbacks.keep._target_=hydra.experimental.callbacks.PickleJobInfoCallback"
    seen = []
    arguments = [f"paths.runs={tmp_path}", "name=a", "hydra.output_subdir=.hydra", keep]
    run_hydra_app("train", lambda cfg: seen.append(cfg.paths.output), arguments)
    run_hydra_app(
        "train",
        lambda cfg: seen.append(cfg.paths.output),
        ["--experimental-rerun", f"{tmp_path}/a/.hydra/config.pickle"],
    )
    assert seen == [str(tmp_path / "a")] * 2
