"""Jobs of a sweep that begin with the weights of the one before."""

from __future__ import annotations

from pathlib import Path

import pytest

from glic_pyg.cli.hydra_app import run_hydra_app
from glic_pyg.cli.job_record import JobRecord, write_record
from glic_pyg.cli.run_folder import RunFolderError
from glic_pyg.cli.sweep_chain import neighbour_weights
from glic_pyg.cli.sweep_table import write_plan
from tests.cli.tiny_run import GLIC, run_command, tiny_options


def job(folder: Path, *overrides: str, status: str = "finished", weights: bool = True) -> Path:
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
    places = {both: job(tmp_path, *both) for both in settings}
    for seed in ("seed=0", "seed=1"):
        high, low, middle = (places[f"loss.lmbda={lmbda}", seed] for lmbda in (0.05, 0.01, 0.02))
        assert neighbour_weights(high) is None
        assert neighbour_weights(low) == high / "glic_xs.safetensors"
        assert neighbour_weights(middle) == low / "glic_xs.safetensors"


def test_an_unfinished_neighbour_is_named(tmp_path: Path) -> None:
    write_plan(tmp_path, {f"loss.lmbda={lmbda}": [f"loss.lmbda={lmbda}"] for lmbda in (2, 1)})
    job(tmp_path, "loss.lmbda=2", status="failed")
    second = job(tmp_path, "loss.lmbda=1", status="running", weights=False)
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
