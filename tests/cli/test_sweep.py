"""Jobs of a sweep, with a stand-in for the training, and chains that start from the weights before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glic_pyg.cli import sweep as module
from glic_pyg.cli import train
from glic_pyg.cli.hydra import run_hydra_app
from glic_pyg.cli.run_folder import RunFolderError, WeightsNotFound
from glic_pyg.cli.sweep import neighbour_weights
from glic_pyg.cli.sweep_table import JobRecord, read_record, sweep_rows, write_plan, write_record
from tests.cli import fake_slurm
from tests.cli.stand_in_app import main
from tests.cli.tiny_run import GLIC, run_command, tiny_options

Sweep = Callable[..., int]


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """Sweeps over overrides into tmp_path/s; returns the exit code."""

    def run(*overrides: str) -> int:
        try:
            return main(["-m", "name=s", f"paths.runs={tmp_path}", *overrides])
        except SystemExit as end:
            return end.code

    monkeypatch.setattr(module, "_command_line", module._command_line)  # put back afterwards
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


def test_a_sweep_over_where_it_runs(sweep: Sweep, tmp_path: Path) -> None:
    """Jobs that differ in nothing else are told apart by their folders."""
    assert sweep("loss.lmbda=1", "threads=1,2") == 0
    (tmp_path / "s/threads=2/job.json").unlink()
    rows = sweep_rows(tmp_path / "s")
    assert {name: row.status for name, row in rows.items()} == {
        "threads=1": "finished",
        "threads=2": "not started",
    }
    write_plan(tmp_path / "s", {name: rows[name].overrides for name in reversed(rows)})
    assert sweep_rows(tmp_path / "s").keys() == rows.keys()
    assert sweep_rows(tmp_path / "s")["threads=1"].status == "finished"


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
    assert module._reason(-signal.SIGKILL, tmp_path / "none") == "killed by SIGKILL"
    assert module._reason(3, tmp_path / "none") == "exit code 3"


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
    with module._stops_passed_on(process) as received:
        os.kill(os.getpid(), number)
        process.wait(30)
    assert received == [number] and process.returncode == 143 and time.monotonic() - start < 30
    assert process.stdout.read() == b"saved\n"
    process.stdout.close()
    assert signal.getsignal(signal.SIGINT) is before


def finished_job(folder: Path, *overrides: str, status: str = "finished", weights: bool = True) -> Path:
    """A job's folder as it is left behind."""
    place = folder / ",".join(sorted(overrides))
    place.mkdir()
    write_record(place, JobRecord(overrides, status))
    if weights:
        (place / "glic_xs.safetensors").touch()
    return place


def test_each_lmbda_follows_the_one_before_of_its_own_chain(tmp_path: Path) -> None:
    settings = [(f"loss.lmbda={lmbda}", f"seed={seed}") for lmbda in (0.05, 0.01, 0.02) for seed in (0, 1)]
    write_plan(tmp_path, {",".join(both): list(both) for both in settings})
    places = {both: finished_job(tmp_path, *both) for both in settings}
    for seed in ("seed=0", "seed=1"):
        high, low, middle = (places[f"loss.lmbda={lmbda}", seed] for lmbda in (0.05, 0.01, 0.02))
        assert neighbour_weights(high) is None
        assert neighbour_weights(low) == high / "glic_xs.safetensors"
        assert neighbour_weights(middle) == low / "glic_xs.safetensors"


def test_an_unfinished_neighbour_is_named(tmp_path: Path) -> None:
    write_plan(tmp_path, {f"loss.lmbda={lmbda}": [f"loss.lmbda={lmbda}"] for lmbda in (2, 1)})
    finished_job(tmp_path, "loss.lmbda=2", status="failed")
    second = finished_job(tmp_path, "loss.lmbda=1", status="running", weights=False)
    with pytest.raises(RunFolderError, match=r"loss.lmbda=2, which this job starts from, is not finished"):
        neighbour_weights(second)


def test_outside_of_a_sweep(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="start_from=neighbour is for sweeps over λ"):
        neighbour_weights(tmp_path)


def test_not_all_at_once(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    more = ["start_from=neighbour", "hydra/launcher=parallel", f"paths.runs={tmp_path}"]
    with pytest.raises(SystemExit, match="one job follows the other; leave hydra/launcher out"):
        run_hydra_app("train", print, ["-m", "loss.lmbda=1,2", *more])


@pytest.mark.slow
def test_a_chain(tmp_path: Path) -> None:
    """The second job starts where the first ended."""
    kept = [o for o in tiny_options(tmp_path) if not o.startswith(("model=", "callbacks.export", "steps="))]
    settings = [
        "model=hyperprior_s",
        "steps=1",
        "data.crop=64",
        "data.small=mirror",
        "trainer.val_check_interval=1",
    ]
    sweep = ["-m", "name=c", "loss.lmbda=2,1", "start_from=neighbour"]
    done = run_command(*GLIC, "train", *sweep, *kept, *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    logs = [(tmp_path / f"runs/c/loss.lmbda={lmbda}/train.log").read_text() for lmbda in (2, 1)]
    assert ", from " not in logs[0]
    assert f", from {tmp_path}/runs/c/loss.lmbda=2/hyperprior_s.safetensors" in logs[1]


def test_a_new_run_begins_with_the_weights_in_a_folder(tmp_path: Path) -> None:
    run = tmp_path / "loss.lmbda=0.05"
    run.mkdir()
    with pytest.raises(WeightsNotFound, match="There are no weights in the folder"):
        train._start_from(str(run), tmp_path)
    (run / "last.ckpt").touch()
    assert train._start_from(str(run), tmp_path) == f"{run}/last.ckpt", "not validated yet"
    (run / "glic.safetensors").touch()
    assert train._start_from(str(run), tmp_path) == f"{run}/glic.safetensors"
    assert train._start_from(f"{run}/last.ckpt", tmp_path) == f"{run}/last.ckpt"
    assert train._start_from(None, tmp_path) is None
    (run / "other.safetensors").touch()
    with pytest.raises(WeightsNotFound, match=r"loss.lmbda=0.05 holds several weights; name one: glic"):
        train._start_from(str(run), tmp_path)


@pytest.mark.slow
def test_lower_rates_start_from_the_run_of_the_highest(tmp_path: Path) -> None:
    """As docs/training.md trains the published ones: two sweeps in one folder."""
    kept = [o for o in tiny_options(tmp_path) if not o.startswith(("model=", "callbacks.export", "steps="))]
    kept += [
        "model=hyperprior_s",
        "steps=1",
        "data.crop=64",
        "data.small=mirror",
        "trainer.val_check_interval=1",
    ]
    first = tmp_path / "runs/r/loss.lmbda=0.05"
    for sweep in (["loss.lmbda=0.05"], ["loss.lmbda=0.0067", f"start_from={first}"]):
        done = run_command(*GLIC, "train", "-m", "name=r", *sweep, *kept)
        assert done.returncode == 0, done.stdout + done.stderr
    log = (tmp_path / "runs/r/loss.lmbda=0.0067/train.log").read_text()
    assert f", from {first}/hyperprior_s.safetensors" in log
    assert (tmp_path / "runs/r/table.md").read_text().count("| finished |") == 2
