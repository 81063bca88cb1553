"""The study's plan, its bookkeeping and its page, on codecs that learn nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from glic_pyg.cli.hydra import compose_option
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.errors import GlicError
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.training.quantiles import solve_quantiles
from studies.images import TrainingImages
from studies.regularizer import measuring
from studies.regularizer.command import SETTINGS, main
from studies.regularizer.measuring import Results, files
from studies.regularizer.plan import Study, plan, read_study
from studies.regularizer.training import build_module, linear_start, load_weights, save_weights, train_source

TINY: dict[str, Any] = {
    "seeds": [0],
    "batch_size": 1,
    "crop": 64,
    "images": 2,
    "side": 64,
    "limit": 1,
    "codecs": {
        "tiny": {
            "lmbdas": [0.02, 0.01, 0.005],
            "alphas": [0.1],
            "lr": 1e-3,
            "source_lr": 1e-3,
            "steps": {"base": 1, "source": 2, "branch": 1},
            "start": {
                "_target_": "studies.regularizer.training.linear_start",
                "_partial_": True,
            },
            "model": {
                "_target_": "glic_pyg.models.compressai.Hyperprior",
                "channels": 4,
                "latent_channels": 4,
            },
            "source": {
                "_target_": "glic_pyg.regularizer.families.HyperpriorSource",
                "_partial_": True,
                "width": 4,
                "patch": 4,
            },
        }
    },
}


@pytest.fixture
def study() -> Study:
    return Study(**TINY)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((80, 72), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def test_the_committed_grid() -> None:
    study = read_study(SETTINGS)
    runs = plan(study)
    assert len(study.seeds) >= 2
    assert all(len(study.alphas(codec)) >= 3 and min(study.alphas(codec)) > 0 for codec in study.codecs)
    assert len({run.name for run in runs}) == len(runs)
    done: set[str | None] = {None}
    for run in runs:
        assert run.parent in done
        done.add(run.name)


def test_the_committed_models_are_those_of_conf() -> None:
    """But for the shipped one, which is what it is, and for the levels, which no model of conf has."""
    codecs = read_study(SETTINGS).codecs
    model, source = (compose_option(group, "hyperprior_s") for group in ("model", "source"))
    pairs = [
        (codecs["hyperprior_s"]["model"], model),
        (codecs["hyperprior_s"]["source"], source.model),
        (codecs["glic_s4"]["source"], compose_option("source", "glic_s").model),
    ]
    for ours, known in pairs:
        stated = {name: value for name, value in ours.items() if name != "levels"}
        assert {name: known[name] for name in stated} == stated


def test_branches_differ_in_the_loss_alone(study: Study) -> None:
    branches = [run for run in plan(study) if run.is_branch and run.lmbda == 0.01]
    assert [run.kind for run in branches] == ["plain", "regularized", "control"]
    assert len({(run.parent, run.steps, run.seed, run.draws) for run in branches}) == 1
    modules = [build_module(run, study) for run in branches]
    assert [module.loss.lmbda for module in modules] == [0.01, 0.01, 0.01 / 1.1]
    assert [module.regularizer and module.regularizer.alpha for module in modules] == [0.0, 0.1, None]


def test_seeds_share_what_their_branches_begin_with() -> None:
    runs = plan(Study(**{**TINY, "seeds": [0, 1]}))
    assert sum(run.kind == "base" for run in runs) == sum(run.kind == "source" for run in runs) == 3
    branches = [run for run in runs if run.kind == "control" and run.lmbda == 0.02]
    assert len({run.parent for run in branches}) == 1 and len({run.draws for run in branches}) == 2


def test_the_control_of_a_model_of_every_rate_trains_it_at_all_of_them() -> None:
    study = read_study(SETTINGS)
    plain, control = (
        next(r for r in plan(study) if r.codec == "glic_s4" and r.kind == kind)
        for kind in ("plain", "control")
    )
    ours, theirs = (build_module(run, study).model.rates.levels for run in (control, plain))
    assert ours == pytest.approx([level / (1 + control.alpha) for level in theirs])


def test_source_learns_while_the_codec_stands_still(study: Study, images: Path) -> None:
    run = next(run for run in plan(study) if run.kind == "source")
    module = build_module(run, study)
    codec = [value.clone() for value in module.model.state_dict().values()]
    theta = [value.clone() for value in module.regularizer.model.parameters()]
    found = train_source(module, TrainingImages(str(images), 2, 1, 64).crops(1, 3), 1e-3)
    assert all(map(torch.equal, codec, module.model.state_dict().values()))
    assert not any(map(torch.equal, theta, module.regularizer.model.parameters()))
    assert found["H_theta"] > 0 and found["H_bound"] > 0


def test_a_branch_has_the_weights_that_it_begins_with(study: Study, tmp_path: Path) -> None:
    _, source, _, regularized, control, *_ = plan(study)
    made = build_module(source, study)
    for part in (made.model, made.regularizer.model):
        for parameter in part.parameters():
            parameter.data.add_(1)
    save_weights(made, tmp_path / "source.pt")
    for run in (regularized, control):
        module = build_module(run, study)
        load_weights(module, tmp_path / "source.pt")
        for name, value in module.model.state_dict().items():
            assert torch.equal(value, made.model.state_dict()[name])
        if module.regularizer:
            for name, value in module.regularizer.state_dict().items():
                assert torch.equal(value, made.regularizer.state_dict()[name])


def test_points_are_those_of_real_files(study: Study) -> None:
    torch.manual_seed(0)
    module = build_module(plan(study)[0], study)
    solve_quantiles(module.model)
    x = (255 * torch.rand(1, 3, 72, 80)).round() / 255
    ((point,),) = files(module, [x], (None,))
    codec = ImageCodec(module.model.eval(), "study", "0" * 64)
    data = codec.encode((255 * x[0]).round().byte().permute(1, 2, 0).numpy()).data
    decoded = torch.tensor(codec.decode(data).array).permute(2, 0, 1) / 255
    assert point.bpp == 8 * len(data) / (72 * 80)
    assert point.psnr == pytest.approx(-10 * (decoded - x[0]).square().mean().log10().item(), abs=1e-3)


def test_the_linear_start_reconstructs_at_once() -> None:
    torch.manual_seed(0)
    x = torch.nn.functional.interpolate(torch.rand(2, 3, 8, 8), size=(64, 64), mode="bicubic").clamp(0, 1)
    errors = {}
    for lmbda in (0.0035, 0.05):
        model = Hyperprior(16, 24)
        linear_start(model, x, lmbda)
        solve_quantiles(model)
        errors[lmbda] = (model.eval()(x)["x_hat"] - x).square().mean().item()
    assert errors[0.05] < errors[0.0035] < 0.3 * x.var().item()


def test_records_stay_when_strengths_are_added(study: Study, tmp_path: Path) -> None:
    run = next(run for run in plan(study) if run.kind == "regularized")
    results = Results(tmp_path, study)
    results.records.write(run.name, {"settings": results._settings(run)})
    codecs = {name: {**codec, "alphas": [*codec["alphas"], 0.7]} for name, codec in study.codecs.items()}
    more = Results(tmp_path, replace(study, codecs=codecs))
    assert more.record(run) is not None and len(plan(more.study)) > len(plan(study))


def test_records_of_other_settings_are_refused(study: Study, tmp_path: Path) -> None:
    run = plan(study)[0]
    (tmp_path / f"{run.name}.json").write_text(json.dumps({"settings": {"crop": 256}}))
    with pytest.raises(GlicError, match="other settings"):
        Results(tmp_path, study).record(run)


@pytest.mark.slow
def test_the_whole_command(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(TINY))
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "regularizer.md").write_text("# Regularizer\n\nmine\n")
    arguments = [f"--data={images}", f"--kodak={images}", f"--ood={tmp_path / 'none'}"]
    arguments += [f"--study={tmp_path / 'study.yaml'}", f"--folder={tmp_path / 'runs'}", f"--docs={docs}"]
    assert main(arguments) == 0
    page = (docs / "regularizer.md").read_text()
    assert page.startswith("# Regularizer\n\nmine\n") and "9 of 9 branches are done" in page
    assert (docs / "images" / "regularizer.png").read_bytes().startswith(b"\x89PNG")
    assert "none: skipped" in capsys.readouterr().err
    record = json.loads((tmp_path / "runs" / "tiny-s0-l0.01-regularized-a0.1.json").read_text())
    assert record["training"]["r"] > 0 and record["sets"]["kodak"]["H_bound"] > 0

    monkeypatch.setattr(measuring, "train", lambda *_: pytest.fail("trained again"))
    assert main([*arguments, "--report"]) == 0 and main(arguments) == 0
