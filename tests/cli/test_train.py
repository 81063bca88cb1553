"""`glic train`: running, going on, refusing, stopping, sweeping."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from glic_pyg.cli.run_folder import alone_in
from glic_pyg.cli.train import main
from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.codec.results import open_info
from tests.cli.tiny_run import ENVIRONMENT, GLIC, run_command, tiny_options
from tests.training.conftest import states_equal


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Overrides for a run of seconds."""
    return tiny_options(tmp_path)


def test_a_run_keeps_what_it_needs(options: list[str], tmp_path: Path) -> None:
    assert main(["name=a", *options]) == 0
    run = tmp_path / "runs/a"
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 4
    card = json.loads((run / "card.json").read_text())
    assert card["step"] == 4 and card["model"] == "tiny" and card["lmbda"] == 0.013
    record = json.loads((run / "run.json").read_text())
    assert "torch" in record["packages"] and "commit" in record["git"]
    assert "lmbda: 0.013" in (run / ".hydra/config.yaml").read_text()
    assert "val/psnr" in (run / "metrics/version_0/metrics.csv").read_text()
    assert json.loads((run / "metrics.json").read_text())["val/psnr"] == pytest.approx(card["val/psnr"])
    with pytest.raises(SystemExit, match="exists already: go on with ckpt_path=last"):
        main(["name=a", *options])
    assert main(["name=a", *options, "steps=6", "ckpt_path=last"]) == 0
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 6


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.root=/nowhere/at/all", "/nowhere/at/all does not exist"),
        ("ckpt_path=/no/file.ckpt", "Checkpoint /no/file.ckpt does not exist"),
    ],
)
def test_refusals_are_one_sentence(options: list[str], override: str, sentence: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*options, override])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_of_any_name_need_no_quotes(options: list[str], tmp_path: Path) -> None:
    place = tmp_path / "é 写 (1) #&[x]=,'"
    (tmp_path / "images").rename(place)
    assert main(["name=a", *options, f"data.root={place}", f"data.val_root=[{place}]"]) == 0
    (tmp_path / "runs/a/last.ckpt").rename(place / "a.ckpt")
    again = [f"data.root={place}/0.png", "data.val_root=null", f"start_from={place}/a.ckpt"]
    assert main(["name=b", *options, *again]) == 0


def test_a_published_backbone_of_every_rate(options: list[str], tmp_path: Path) -> None:
    size = ["model=hyperprior", "rate=variable", "model.channels=8", "model.latent_channels=12"]
    kept = [
        o for o in options if not o.startswith(("model=", "callbacks.export.save", "data.crop", "steps="))
    ]
    assert main(["name=a", *kept, *size, "data.crop=64", "data.small=mirror", "steps=2"]) == 0
    codec = codec_for_encoding(None, tmp_path / "runs/a")
    assert codec.variable_rate
    image = Image.open(tmp_path / "images/0.png").convert("RGB")
    for quality in (10.0, 90.0):
        data = codec.encode(image, target=RateTarget("quality", quality)).data
        assert open_info(data).quality == quality
        assert codec.decode(data).array.shape == (48, 40, 3)


def test_one_training_in_a_folder(options: list[str], tmp_path: Path) -> None:
    with (
        alone_in(tmp_path / "runs/a"),
        pytest.raises(SystemExit, match="Another process is training in"),
    ):
        main(["name=a", *options])
    assert main(["name=a", *options]) == 0


def stopped_by(numbers: list[int], options: list[str], step: int) -> int:
    """The exit code of a run that gets signals inside a step."""
    send = f"{{_target_:tests.cli.tiny_run.SendSignals,numbers:{list(map(int, numbers))},step:{step}}}"
    with pytest.raises(SystemExit) as end:
        main(["name=a", *options, f"+callbacks.send={send}"])
    return end.value.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_finishes_its_step_and_says_how_to_go_on(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    assert stopped_by([number], options, step=2) == 128 + number
    assert signal.getsignal(number) == before
    said = capsys.readouterr().out
    assert "stopped after step 3; to go on: the same command with name=a ckpt_path=last" in said
    checkpoint = tmp_path / "runs/a/last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 3
    if number == signal.SIGINT:
        main(["name=a", *options, "ckpt_path=last"])
        main(["name=b", *options])
        one, other = (torch.load(tmp_path / f"runs/{name}/last.ckpt", weights_only=True) for name in "ab")
        assert states_equal(one["state_dict"], other["state_dict"])


def test_a_second_ctrl_c_stops_at_once(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        assert stopped_by([signal.SIGINT, signal.SIGINT], options, step=1) == 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning leaves it ignored
    assert "stopped after step 1; nothing was saved yet" in capsys.readouterr().out


@pytest.mark.slow
def test_a_sweep_of_real_runs(options: list[str], tmp_path: Path) -> None:
    """One run fails, the sweep goes on; started again it does only what is missing."""
    command = [*GLIC, "train", "-m", "name=s", "loss.lmbda=0.01,-1,0.02", *options]
    done = run_command(*command)
    assert done.returncode == 1, done.stderr
    sweep = tmp_path / "runs/s"
    rows = {row["run"]: row for row in csv.DictReader((sweep / "table.csv").read_text().splitlines())}
    assert {name: row["status"] for name, row in rows.items()} == {
        "loss.lmbda=0.01": "finished",
        "loss.lmbda=-1": "failed",
        "loss.lmbda=0.02": "finished",
    }
    assert rows["loss.lmbda=-1"]["reason"] == "glic train: module.loss: lmbda must be positive, got -1."
    assert float(rows["loss.lmbda=0.01"]["val/psnr"]) > 0
    assert json.loads((sweep / "loss.lmbda=0.02/card.json").read_text())["lmbda"] == 0.02
    assert "torch" in json.loads((sweep / "loss.lmbda=0.02/run.json").read_text())["packages"]
    written = (sweep / "loss.lmbda=0.01/last.ckpt").stat().st_mtime_ns
    assert run_command(*command).stdout.count("finished before, skipped") == 2
    assert (sweep / "loss.lmbda=0.01/last.ckpt").stat().st_mtime_ns == written


@pytest.mark.slow
def test_sigterm_leaves_a_checkpoint_of_a_sweeps_job(options: list[str], tmp_path: Path) -> None:
    command = [*GLIC, "train", "-m", "name=b", *options, "steps=100000"]
    command += ["callbacks.progress.every_n_steps=1", "trainer.val_check_interval=100000"]
    log = tmp_path / "runs/b/train.log"
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None and not (log.exists() and "step 5/" in log.read_text()):
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    finally:
        process.kill()
    done = torch.load(tmp_path / "runs/b/last.ckpt", weights_only=True)["global_step"]
    assert done >= 5
    assert "stopped: told to stop" in (tmp_path / "runs/b/table.md").read_text()
