"""Going on with a run: what may change, what is refused, and which checkpoint is taken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glic_pyg.cli.resume import MAY_CHANGE
from glic_pyg.cli.train import main
from glic_pyg.training.callbacks.checkpoint import CheckpointError, WholeFileIO, previous_of, read_checkpoint
from tests.cli.tiny_run import tiny_options


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return tiny_options(tmp_path)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of four steps, and the images it learned from."""
    folder = tmp_path_factory.mktemp("original")
    main(["name=a", *tiny_options(folder), "callbacks.last_checkpoint.every_n_steps=3"])
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """The folder of a copy of it."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path / "runs/a"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but logs."""
    return {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".log"
    }


def refusal(*arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, str) and "\n" not in end.value.code
    return end.value.code


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["loss.lmbda=0.05"], "loss.lmbda=0.013 (not 0.05);"),
        (["optim.codec.lr=0.1"], "optim.codec.lr=0.0001 (not 0.1);"),
        (["+optim.codec.amsgrad=true"], "optim.codec.amsgrad=unset (not true);"),
        (["seed=1", "data.batch_size=1"], "seed=0 (not 1), data.batch_size=2 (not 1);"),
        (["schedule.total_steps=9"], "schedule.total_steps=4 (not 9);"),
        (["module.ema_decay=null"], "module.ema_decay=0.999 (not null);"),
        (["callbacks.export.card.lmbda=0.05"], "callbacks.export.card.lmbda=0.013 (not 0.05);"),
        (["start_from=x.ckpt"], "start_from=null (not x.ckpt);"),
        (
            ["optim=adamw"],
            "optim.codec._target_=torch.optim.Adam (not torch.optim.AdamW), optim.codec.weight_decay=",
        ),
        (["steps=8", "loss.lmbda=0.05"], "loss.lmbda=0.013 (not 0.05);"),
    ],
)
def test_what_may_not_change(options: list[str], run: Path, overrides: list[str], told: str) -> None:
    """The run is left as it is: its weights, its card and the record of its settings."""
    before = contents(run)
    said = refusal("name=a", *options, *overrides, "ckpt_path=last")
    assert f"{run}/last.ckpt was made with {told}" in said and "start_from=" in said
    assert contents(run) == before


def test_what_may_change(options: list[str], run: Path, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "moved")
    changed = ["data.root=${paths.data}/moved", "data.val_root=null", "data.keep=disk", "threads=1"]
    changed += ["logger=none", "callbacks.progress.every_n_steps=1", "trainer.log_every_n_steps=3"]
    changed += ["module.micro_batches=2", "callbacks.last_checkpoint.every_n_steps=5", "steps=6"]
    assert main(["name=a", *options, *changed, "ckpt_path=last"]) == 0
    assert read_checkpoint(run / "last.ckpt")["global_step"] == 6
    assert read_checkpoint(run / "last.ckpt")["hyper_parameters"]["steps"] == 6
    assert "steps: 6" in (run / ".hydra/config.yaml").read_text()


def test_every_setting_that_may_change_is_there(run: Path) -> None:
    settings = read_checkpoint(run / "last.ckpt")["hyper_parameters"]
    for key in MAY_CHANGE:
        node = settings
        for part in key.split("."):
            node = node[part]


def test_a_finished_run_has_nothing_to_train(options: list[str], run: Path, capsys) -> None:
    """Its weights are measured and exported again, as they were."""
    weights, card, metrics = (run / name for name in ("tiny.safetensors", "card.json", "metrics.json"))
    before = weights.read_bytes()
    checkpoint, was, figures = (
        (run / "last.ckpt").read_bytes(),
        card.read_text(),
        json.loads(metrics.read_text()),
    )
    weights.unlink()
    assert main(["name=a", *options, "ckpt_path=last"]) == 0
    said = capsys.readouterr().out
    assert "last.ckpt was finished: its 4 steps are done, and there is nothing to train" in said
    assert card.read_text() == was and (run / "last.ckpt").read_bytes() == checkpoint
    assert weights.read_bytes() == before
    assert json.loads(metrics.read_text()) == pytest.approx(figures)


def test_fewer_steps_than_are_done(options: list[str], run: Path) -> None:
    assert "has 4 steps behind it, more than steps=3" in refusal(
        "name=a", *options, "steps=3", "ckpt_path=last"
    )


def test_other_images(options: list[str], run: Path, tmp_path: Path) -> None:
    before = contents(run / ".hydra")
    (tmp_path / "images/1.png").unlink()
    said = refusal("name=a", *options, "steps=6", "ckpt_path=last")
    assert "is not what this run has learned from: 1 images now, 2 then" in said
    assert contents(run / ".hydra") == before


def test_a_damaged_checkpoint_is_put_aside_for_the_one_before(options: list[str], run: Path, capsys) -> None:
    """What the run then becomes is the same, to the last bit."""
    last = run / "last.ckpt"
    straight = read_checkpoint(last)["state_dict"]
    assert read_checkpoint(previous_of(last))["global_step"] == 3
    flip_a_byte(last)
    main(["name=a", *options, "callbacks.last_checkpoint.every_n_steps=3", "ckpt_path=last"])
    said = capsys.readouterr().out
    assert "last.ckpt is damaged" in said and f"the run goes on from {previous_of(last)}" in said
    again = read_checkpoint(last)["state_dict"]
    assert again.keys() == straight.keys()
    assert all(torch.equal(again[name], straight[name]) for name in straight)
    with pytest.raises(CheckpointError):
        read_checkpoint(last.with_name("last-damaged.ckpt"))
    assert read_checkpoint(previous_of(last))["global_step"] == 3


def test_two_damaged_checkpoints(options: list[str], run: Path) -> None:
    for path in (run / "last.ckpt", run / "last-previous.ckpt"):
        flip_a_byte(path)
    before = contents(run)
    assert "last.ckpt is damaged" in refusal("name=a", *options, "ckpt_path=last")
    assert contents(run) == before


def test_only_the_one_before_is_there(options: list[str], run: Path) -> None:
    """As when a save was cut off on a file system without hard links."""
    (run / "last.ckpt").rename(run / "last-previous.ckpt")
    assert "last-previous.ckpt exists already" in refusal("name=a", *options)
    assert main(["name=a", *options, "steps=5", "ckpt_path=last"]) == 0
    assert read_checkpoint(run / "last.ckpt")["global_step"] == 5


def test_another_runs_checkpoint_does_not_overwrite(options: list[str], run: Path, tmp_path: Path) -> None:
    main(["name=b", *options, f"ckpt_path={run}/last.ckpt"])
    before = contents(run)
    said = refusal("name=a", *options, "steps=5", f"ckpt_path={tmp_path}/runs/b/last.ckpt")
    assert "last.ckpt exists already" in said and contents(run) == before


def test_a_checkpoint_of_before_settings_were_kept(options: list[str], run: Path, capsys) -> None:
    state = torch.load(run / "last.ckpt", weights_only=True)
    del state["hyper_parameters"]
    torch.save(state, run / "last.ckpt")
    assert main(["name=a", *options, "steps=5", "ckpt_path=last"]) == 0
    assert "does not tell which settings it was made with" in capsys.readouterr().out
    assert read_checkpoint(run / "last.ckpt")["global_step"] == 5


def test_a_checkpoint_whose_settings_name_the_metrics(options: list[str], run: Path) -> None:
    """As those of versions before glic_pyg.metrics do; such a configuration trains as well."""
    state, former = torch.load(run / "last.ckpt", weights_only=True), []
    for name, path in (("psnr", "codec.psnr.psnr"), ("ms_ssim", "evaluation.ms_ssim.ms_ssim")):
        method = {"_target_": "hydra.utils.get_method", "path": f"glic_pyg.{path}"}
        state["hyper_parameters"]["module"][name] = method
        former += [f"+module.{name}.{key}={value}" for key, value in method.items()]
    WholeFileIO().save_checkpoint(state, run / "last.ckpt")
    assert main(["name=a", *options, *former, "steps=5", "ckpt_path=last"]) == 0
    state = read_checkpoint(run / "last.ckpt")
    assert state["global_step"] == 5 and "psnr" not in state["hyper_parameters"]["module"]


def test_a_checkpoint_of_another_version(options: list[str], run: Path) -> None:
    """A class has moved, an argument was not there yet, another is gone that had its default."""
    state = torch.load(run / "last.ckpt", weights_only=True)
    settings = state["hyper_parameters"]
    assert settings["loss"]["_target_"].endswith(".RateDistortionLoss")
    settings["loss"]["_target_"] = settings["module"]["loss"]["_target_"] = "glic_pyg.old.RateDistortionLoss"
    del settings["module"]["lr_scales"]
    assert settings["schedule"]["shape"] == "cosine"
    torch.save(state, run / "last.ckpt")
    assert main(["name=a", *options, "~schedule.shape", "steps=5", "ckpt_path=last"]) == 0
    state["hyper_parameters"]["loss"]["_target_"] = "glic_pyg.old.OtherLoss"
    torch.save(state, run / "last.ckpt")
    said = refusal("name=a", *options, "steps=5", "ckpt_path=last")
    assert "loss._target_=glic_pyg.old.OtherLoss (not" in said


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("foreign", "is no checkpoint of glic train: it has no state of a training"),
        ("cut", "is damaged: its bytes are not those that were written"),
        ("weights", "is no checkpoint of glic train: it is a safetensors file"),
        ("folder", "is a folder"),
        ("none", "does not exist"),
    ],
)
def test_files_that_no_run_goes_on_from(
    options: list[str], run: Path, tmp_path: Path, kind: str, sentence: str
) -> None:
    path = tmp_path / "x.ckpt"
    if kind == "foreign":
        torch.save({"g_a.0.weight": torch.zeros(3)}, path)
    elif kind == "cut":
        path.write_bytes((run / "last.ckpt").read_bytes()[:3000])
    elif kind == "weights":
        save_file({"w": torch.zeros(3)}, path)
    elif kind == "folder":
        path.mkdir()
    assert f"x.ckpt {sentence}" in refusal("name=b", *options, f"ckpt_path={path}")
    assert not (tmp_path / "runs/b").exists()
