"""Hydra's own options: those that do not go together are refused, the others still work."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import NoReturn

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from glic_pyg.cli.hydra_app import run_hydra_app
from glic_pyg.cli.hydra_options import quote_paths, quoted

ONE_RUN = "what is shown is one run; leave -m out and give every key one value"


def no_job(cfg: DictConfig) -> NoReturn:
    """What is only shown is not done."""
    pytest.fail(f"a job was started: {cfg}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-m", "threads=1,2", "--cfg", "job"], f"-m and --cfg do not go together: {ONE_RUN}."),
        (["threads=1,2", "-m", "-c", "all"], f"-m and --cfg do not go together: {ONE_RUN}."),
        (["--multirun", "--info"], f"-m and --info do not go together: {ONE_RUN}."),
        (["--info", "defaults", "-m"], f"-m and --info do not go together: {ONE_RUN}."),
        (["-m", "-sc", "install=bash"], "-m and --shell-completion do not go together."),
        (["--run", "--cfg", "job"], "--run and --cfg do not go together."),
        (["--resolve", "threads=1"], "--resolve goes with --cfg or --help."),
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


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no file config.pickle to rerun."),
        (b"", "config.pickle is no configuration to rerun"),
        (b"nonsense", "config.pickle is no configuration to rerun"),
        (pickle.dumps({"a": 1}), "config.pickle is no configuration to rerun"),
    ],
)
def test_nothing_to_rerun(
    content: bytes | None,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("config.pickle").write_bytes(content)
    with pytest.raises(SystemExit) as end:
        run_hydra_app("train", no_job, ["--experimental-rerun", "config.pickle"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"glic train: {sentence}") and said.count("\n") == 1
