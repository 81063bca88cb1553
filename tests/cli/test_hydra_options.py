"""Hydra's own options: those that do not go together are refused, the others still work."""

from __future__ import annotations

from typing import NoReturn

import pytest
from omegaconf import DictConfig

from glic_pyg.cli.hydra_app import run_hydra_app

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
