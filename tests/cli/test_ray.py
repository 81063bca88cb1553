"""Sweeps on a Ray cluster that runs: needs hydra-ray-launcher, which ``make venv`` leaves out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.tiny_run import ENVIRONMENT, GLIC, tiny_options

pytest.importorskip("hydra_plugins.hydra_ray_launcher")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PATIENCE = 600
ON_CPUS = ["hydra.launcher.ray.remote.num_cpus=1", "hydra.launcher.ray.remote.num_gpus=0"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a cluster of one machine with two CPUs and no GPU."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = Path(sys.executable).with_name("ray")
    options = [
        "--num-cpus=2",
        "--num-gpus=0",
        "--include-dashboard=false",
        "--disable-usage-stats",
        "--block",
    ]
    log = tmp_path_factory.mktemp("ray") / "ray.log"
    patient = ENVIRONMENT | {"RAY_raylet_start_wait_time_s": str(PATIENCE)}
    with log.open("wb") as out:
        head = subprocess.Popen(
            [ray, "start", "--head", f"--port={port}", *options], env=patient, stdout=out, stderr=out
        )
    deadline = time.monotonic() + PATIENCE
    while b"Ray runtime started" not in log.read_bytes():
        assert head.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)
    yield f"127.0.0.1:{port}"
    head.terminate()
    head.wait(60)


def command(folder: Path, name: str, *more: str) -> list[str]:
    sweep = ["train", "-m", f"name={name}", "loss.lmbda=0.01,0.02", "hydra/launcher=ray_cluster"]
    return [*GLIC, *sweep, *tiny_options(folder), *more]


def test_joins_a_cluster_that_runs(address: str, tmp_path: Path) -> None:
    words = command(tmp_path, "rates", f"hydra.launcher.ray.init.address={address}", *ON_CPUS)
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "runs/rates/table.md").read_text().count("| finished |") == 2


def test_ctrl_c_leaves_checkpoints(address: str, tmp_path: Path) -> None:
    more = [f"hydra.launcher.ray.init.address={address}", *ON_CPUS, "steps=100000"]
    sweep = subprocess.Popen(
        command(tmp_path, "stop", *more), env=ENVIRONMENT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    folders = [tmp_path / f"runs/stop/loss.lmbda={lmbda}" for lmbda in ("0.01", "0.02")]

    def wait_for(name: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not all(list(folder.rglob(name)) for folder in folders):
            assert time.monotonic() < deadline, name
            time.sleep(0.5)

    wait_for("metrics.csv")
    assert not any((folder / "last.ckpt").exists() for folder in folders)
    os.killpg(sweep.pid, signal.SIGINT)
    assert sweep.wait(PATIENCE) != 0
    wait_for("last.ckpt")
    assert all("to go on: the same command" in (folder / "console.log").read_text() for folder in folders)


def test_a_cluster_without_gpus_is_no_reason_to_wait(address: str, tmp_path: Path) -> None:
    words = command(tmp_path, "gpus", f"hydra.launcher.ray.init.address={address}")
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert (
        "no machine of the Ray cluster has the 8 CPUs and 1 GPUs of a job; the largest has 2 and 0"
        in done.stderr
    )
    assert not (tmp_path / "runs/gpus").exists() or not list((tmp_path / "runs/gpus").glob("loss*"))


def test_no_cluster_is_one_sentence(tmp_path: Path) -> None:
    words = command(tmp_path, "nowhere", "hydra.launcher.ray.init.address=127.0.0.1:9")
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and "glic: no Ray cluster runs at 127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
