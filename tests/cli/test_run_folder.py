"""Which process writes a run's folder, how it ends with its sweep, and that a refused run leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glic_pyg.cli.run_folder import PARENT, arguments_of_this_process, is_first_process
from glic_pyg.cli.train import main
from tests.cli.tiny_run import ENVIRONMENT, tiny_options


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return tiny_options(tmp_path)


@pytest.mark.parametrize(
    "override",
    [
        "data.root=/nowhere",
        "data.val_root=/nowhere",
        "data.crop=512",
        "loss.lmbda=-1",
        "data.batch_size=abc",
        "ckpt_path=/nowhere.ckpt",
        "start_from=/nowhere.ckpt",
    ],
)
def test_no_folder_is_left_behind(options: list[str], tmp_path: Path, override: str) -> None:
    before = set(tmp_path.rglob("*"))
    with pytest.raises(SystemExit):
        main([*options, "name=deep/a", "logger=default", override])
    assert set(tmp_path.rglob("*")) == before


def test_other_runs_and_files_stay(options: list[str], tmp_path: Path) -> None:
    """As those that the process of a sweep has made for its job, and keeps open."""
    runs = tmp_path / "runs"
    (runs / "a").mkdir(parents=True)
    (runs / "a/console.log").touch()
    (runs / "b").mkdir()
    with pytest.raises(SystemExit):
        main([*options, "name=a", "data.root=/nowhere"])
    left = {str(path.relative_to(runs)) for path in runs.rglob("*")}
    assert left - {"a/.lock"} == {"a", "a/console.log", "b"}


@pytest.mark.parametrize("name", ["../a", "/tmp/a", "''", "a/../../b"])
def test_names_stay_inside_the_folder_of_runs(options: list[str], tmp_path: Path, name: str) -> None:
    before = set(tmp_path.rglob("*"))
    with pytest.raises(SystemExit, match=r"name=.* must be the name of a folder inside paths\.runs="):
        main([*options, f"name={name}"])
    assert set(tmp_path.rglob("*")) == before


VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_alone() -> None:
    assert is_first_process()
    assert arguments_of_this_process(["steps=3"]) == ["steps=3"]


@pytest.mark.parametrize(
    "variables", ["RANK WORLD_SIZE", "SLURM_PROCID SLURM_NTASKS", "LOCAL_RANK WORLD_SIZE"]
)
def test_ranks(variables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rank, size = variables.split()
    monkeypatch.setenv(size, "2")
    monkeypatch.setenv(rank, "0")
    assert is_first_process() and arguments_of_this_process(["name=a"]) == ["name=a"]
    monkeypatch.setenv(rank, "1")
    assert not is_first_process()
    others = arguments_of_this_process(["name=a", "hydra.output_subdir=null"])
    logs = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
    assert others == ["name=a", "hydra.output_subdir=null", *logs]


def test_several_processes_need_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="give this run a name="):
        arguments_of_this_process(["steps=3"])
    assert arguments_of_this_process(["--cfg", "job"]) == ["--cfg", "job"]


@pytest.mark.skipif(sys.platform != "linux", reason="the signal at the parent's death is Linux's")
def test_a_job_ends_with_its_sweep() -> None:
    """The sweep is killed (SIGKILL); its job is told to stop."""
    job = "from glic_pyg.cli.run_folder import end_with_parent; end_with_parent()\nprint('up', flush=True)\n"
    job += "import time; time.sleep(60)"
    sweep = (
        "import os, subprocess, sys, time\n"
        f"environment = os.environ | {{{PARENT!r}: str(os.getpid())}}\n"
        f"job = subprocess.Popen([sys.executable, '-c', {job!r}], env=environment)\n"
        "print(job.pid, flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", sweep], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = {process.stdout.readline().strip() for _ in range(2)}
    (pid,) = lines - {"up"}
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    for _ in range(300):
        if not _lives(int(pid)):
            return
        time.sleep(0.1)
    os.kill(int(pid), signal.SIGKILL)
    raise AssertionError("the job outlived its sweep")


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
