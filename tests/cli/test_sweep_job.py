"""Jobs of a sweep, with a stand-in for the training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glic_pyg.cli import sweep_job
from glic_pyg.cli.job_record import read_record
from tests.cli import fake_slurm
from tests.cli.stand_in_app import main
from tests.cli.tiny_run import run_command

Sweep = Callable[..., int]


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """Sweeps over overrides into tmp_path/s; returns the exit code."""

    def run(*overrides: str) -> int:
        try:
            return main(["-m", "name=s", f"paths.runs={tmp_path}", *overrides])
        except SystemExit as end:
            return end.code

    monkeypatch.setattr(sweep_job, "_command_line", sweep_job._command_line)  # put back afterwards
    return run


def calls(folder: Path) -> dict[str, int]:
    return {path.parent.name: len(path.read_text()) for path in folder.rglob("calls")}


def test_a_failed_job_does_not_end_the_sweep(sweep: Sweep, tmp_path: Path, capsys) -> None:
    assert sweep("loss.lmbda=1,2,3", "seed=5") == 1
    assert calls(tmp_path) == {"loss.lmbda=1": 1, "loss.lmbda=2": 1, "loss.lmbda=3": 1}
    table = (tmp_path / "s/table.csv").read_text().splitlines()
    assert table[0] == "run,loss.lmbda,status,reason,seconds,train/loss,val/bpp"
    assert [line.split(",")[:4] for line in table[1:]] == [
        ["loss.lmbda=1", "1", "finished", ""],
        ["loss.lmbda=2", "2", "failed", "glic train: it broke"],
        ["loss.lmbda=3", "3", "finished", ""],
    ]
    said = capsys.readouterr()
    assert "| loss.lmbda=3 | finished | 0.75 |" in said.out
    assert said.err.endswith("not finished: loss.lmbda=2, failed: glic train: it broke\n")


def test_again_skips_what_is_finished_and_takes_more(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep("loss.lmbda=1,2") == 1
    assert sweep("loss.lmbda=1,2,3") == 0
    assert calls(tmp_path) == {"loss.lmbda=1": 1, "loss.lmbda=2": 2, "loss.lmbda=3": 1}
    assert (tmp_path / "s/table.md").read_text().count("| finished |") == 3


def test_where_it_runs_may_change(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep("loss.lmbda=1") == 0
    assert sweep("loss.lmbda=1", "trainer=cpu", "threads=2") == 0
    assert calls(tmp_path) == {"s": 1}


def test_interpolations_are_left_to_the_job(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep("loss.lmbda=1", "data.root=${paths.data}/x") == 0
    (override,) = [o for o in read_record(tmp_path / "s").overrides if o.startswith("data.root=")]
    assert "paths.data" in override


def test_other_settings_are_not_mixed(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep("loss.lmbda=1,3") == 0
    assert sweep("loss.lmbda=1,3", "steps=7") == 1
    assert set(calls(tmp_path).values()) == {1}
    assert "not started: its folder holds another job (steps=7)" in (tmp_path / "s/table.md").read_text()


def test_sweeps_of_the_configuration(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep("sweep=lambdas", "seed=0,1") == 0
    assert len(calls(tmp_path)) == 12 and "loss.lmbda=0.0067,seed=1" in calls(tmp_path)


LAUNCHERS = {
    "parallel": ("hydra_plugins.hydra_joblib_launcher", []),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", []),
    "slurm": ("hydra_plugins.hydra_submitit_launcher", ["hydra.launcher.partition=gpu"]),
    "ray_cluster": (
        "hydra_plugins.hydra_ray_launcher",
        [
            "hydra.launcher.ray.init.address=null",
            "hydra.launcher.ray.remote.num_cpus=1",
            "hydra.launcher.ray.remote.num_gpus=0",
        ],
    ),
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.slow
def test_launchers(launcher: str, tmp_path: Path) -> None:
    """In other processes, on a SLURM that is a stand-in as well; the job is a module they can import."""
    plugin, more = LAUNCHERS[launcher]
    pytest.importorskip(plugin)
    code = "import sys; from tests.cli.stand_in_app import main; main(sys.argv[1:])"
    overrides = ["name=s", f"paths.runs={tmp_path}", "loss.lmbda=1,2,3", f"hydra/launcher={launcher}", *more]
    done = run_command(sys.executable, "-c", code, "-m", *overrides, **fake_slurm.install(tmp_path / "bin"))
    assert done.returncode == 1, done.stderr
    assert calls(tmp_path) == {"loss.lmbda=1": 1, "loss.lmbda=2": 1, "loss.lmbda=3": 1}
    assert "| loss.lmbda=2 | failed: glic train: it broke |" in done.stdout
    assert "| loss.lmbda=3 | finished | 0.75 |" in done.stdout


def test_slurm_that_is_not_there(sweep: Sweep) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    assert str(sweep("loss.lmbda=1,2", "hydra/launcher=slurm")).startswith("glic: there is no srun here;")


def test_a_killed_job_is_named(tmp_path: Path) -> None:
    assert sweep_job._reason(-signal.SIGKILL, tmp_path / "none") == "killed by SIGKILL"
    assert sweep_job._reason(3, tmp_path / "none") == "exit code 3"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_passed_on_and_waited_for(number: signal.Signals, tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def stop(*_):\n    time.sleep(0.3)\n    print('saved', flush=True)\n    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('up', flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None and process.stdout.readline() == b"up\n"
    start, before = time.monotonic(), signal.getsignal(signal.SIGINT)
    with sweep_job._stops_passed_on(process) as received:
        os.kill(os.getpid(), number)
        process.wait(30)
    assert received == [number] and process.returncode == 143 and time.monotonic() - start < 30
    assert process.stdout.read() == b"saved\n"
    process.stdout.close()
    assert signal.getsignal(signal.SIGINT) is before
