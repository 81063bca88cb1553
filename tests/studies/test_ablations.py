"""The ablation study: its rows, its arithmetic, its bookkeeping and its page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from glic_pyg.cli.hydra import config_dir
from glic_pyg.codec.weights_store import load_shipped
from glic_pyg.errors import GlicError
from glic_pyg.nn import GatedBlock
from studies.ablations import training
from studies.ablations.command import main
from studies.ablations.report import ablation_figure, full_compute, section
from studies.ablations.rows import BASELINE, ROWS, SCRATCH, more_rate, runs, separated
from studies.ablations.training import Results, Run, build_module, override_of
from studies.records import Record

BY_NAME = {row.name: row for row in ROWS}


def record(more: float) -> Record:
    """A run on the curve of all, at ``more`` percent more rate."""
    settings = {"steps": 1, "batch_size": 2, "crop": 128, "side": 256, "qualities": [10, 50, 90]}
    metrics = {"bpp": [rate * (1 + more / 100) for rate in (0.2, 0.4, 0.8)], "psnr": [28.0, 32.0, 36.0]}
    return {"settings": settings, "parameters": 1_000_000, "seconds": 3.0, "sets": {"val": metrics}}


@pytest.fixture
def records() -> dict[Run, Record]:
    """Mesh alone is worse with both seeds, local alone with one of them."""
    more = {BASELINE: (0.0, 5.0), "mesh": (10.0, 16.55), "local": (2.0, 4.79)}
    found = {Run(name, seed): record(value) for name, pair in more.items() for seed, value in enumerate(pair)}
    return found | {Run(BASELINE, 0, "swapped"): record(0), Run("mesh", 0, "swapped"): record(30)}


def test_rows_vary_every_graph() -> None:
    graphs = {f"graph={path.stem}" for path in (config_dir() / "graph").glob("*.yaml")}
    varied = {override_of(name) for name in BY_NAME}
    assert len(ROWS) == len(varied) and varied >= graphs


@pytest.fixture(scope="module")
def shipped() -> nn.Module:
    return load_shipped("glic_s2").model


@pytest.mark.parametrize("row", sorted(BY_NAME))
def test_every_row_begins_as_the_shipped_weights(row: str, shipped: nn.Module) -> None:
    """All parameters are theirs but those of parts that the row adds, which begin silent."""
    model = build_module(Run(row, 3).config()).model
    trained = {name.replace(".ramp.", "."): value for name, value in model.named_parameters()}
    same = [name for name, value in shipped.named_parameters() if name in trained]
    assert all(trained[name].equal(value) for name, value in shipped.named_parameters() if name in trained)
    if row not in ("encoder", "decoder"):
        assert len(same) == len(list(shipped.parameters()))


@torch.no_grad()
def test_gfa_in_the_entropy_model_begins_silent() -> None:
    x = torch.rand(1, 3, 128, 128)
    plain, more = (build_module(Run(row, 0).config()).model.eval() for row in (BASELINE, "context"))
    assert sum(p.numel() for p in more.parameters()) > sum(p.numel() for p in plain.parameters())
    torch.testing.assert_close(more(x, 50)["likelihoods"]["y"], plain(x, 50)["likelihoods"]["y"])


@torch.no_grad()
@pytest.mark.parametrize("row", ["encoder", "decoder"])
def test_blocks_in_the_place_of_gfa_layers_begin_as_nothing(row: str) -> None:
    model = build_module(Run(row, 0).config()).model
    transform = model.g_s if row == "encoder" else model.g_a
    blocks = [m for m in transform.modules() if isinstance(m, GatedBlock) and m.mix_in.in_channels > 32]
    assert len(blocks) == 4
    for block in blocks:
        x = torch.randn(1, block.mix_in.in_channels, 8, 8)
        assert block(x).equal(x)


def test_more_rate_is_a_bd_rate_seed_by_seed(records: dict[Run, Record]) -> None:
    assert more_rate(records, BY_NAME["mesh"]).values == pytest.approx((10.0, 11.0))
    assert more_rate(records, BY_NAME["local"]).values == pytest.approx((2.0, -0.2))
    assert more_rate(records, BY_NAME["mesh"], "swapped").values == pytest.approx((30.0,))
    assert more_rate(records, BY_NAME["union"]).values == ()


def test_what_answers_most_runs_first() -> None:
    planned = runs(2)
    assert len(planned) == len(set(planned)) == 3 * len(ROWS) + 2 * len(SCRATCH)
    assert [run.kind for run in planned[: len(ROWS)]] == ["swapped"] * len(ROWS)
    assert all(run.seed == 0 for run in planned[: 2 * len(ROWS) + len(SCRATCH)])


def test_only_rows_beyond_the_chance_of_seeds_separate(records: dict[Run, Record]) -> None:
    apart, usual = separated(records)
    assert usual == pytest.approx((1.0 + 2.2) / 2) and [row.name for row in apart] == ["mesh"]
    assert separated({run: r for run, r in records.items() if run.seed == 0})[0] == []


def test_the_page_has_the_paper_s_numbers_beside_ours(
    records: dict[Run, Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.ablations.report._compute_table", lambda: "compute")
    page = section(records, planned=40, figure="f.png", how="how")
    lines = {line.split("|")[2].strip(): line for line in page.splitlines() if line.startswith("|")}
    assert "8 of 40 runs are done" in page
    assert "| -16.97 | -16.21 | -18.21 | +2.32 |" in lines["none: uniform degree (k-NN)"]
    assert (
        "| +30.00 | +10.50 (+10.00 … +11.00) | – |" in lines["mesh only"]
        and "| – | – | – |" in lines["mesh only"]
    )
    assert "graphs, mesh only (+10.50" in page and "did not separate" in page
    assert ablation_figure(records).startswith(b"\x89PNG")


def test_an_empty_study_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.ablations.report._compute_table", lambda: "compute")
    page = section({}, planned=40, figure="f.png", how="how")
    assert "None of 40 runs" in page and "Too few runs" in page


def test_full_compute_is_the_published_recipe() -> None:
    """510 epochs of 2593 steps and 90 of 10373; a step is three forward passes over 8 crops of 256x256."""
    need = full_compute(BASELINE)
    assert need.steps == pytest.approx(510 * 2593 + 90 * 10373, rel=1e-3)
    assert need.parameters == pytest.approx(69.37e6, rel=1e-3)
    analysis_alone = 3 * 370e9 * 8 * 256**2 / (768 * 512)
    assert 2 * analysis_alone < need.step < 4 * analysis_alone and need.total == need.step * need.steps
    assert full_compute("learned").step > need.step > full_compute("local").step


def test_records_of_other_settings_are_refused(tmp_path: Path) -> None:
    run = Run(BASELINE, 0)
    (tmp_path / f"{run.name}.json").write_text(json.dumps({"settings": {"steps": 7}}))
    with pytest.raises(GlicError, match="other settings"):
        Results(tmp_path, 256).record(run)


@pytest.mark.slow
def test_the_whole_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for number in range(2):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((136, 130), Image.Resampling.BICUBIC).save(tmp_path / f"{number}.png")
    monkeypatch.setattr("studies.ablations.rows.ROWS", [BY_NAME[BASELINE], BY_NAME["learned"]])
    monkeypatch.setattr("studies.ablations.rows.SCRATCH", (BASELINE,))
    docs = tmp_path / "docs"
    arguments = [f"--data={tmp_path}", f"--val={tmp_path}", f"--folder={tmp_path / 'runs'}", f"--docs={docs}"]
    arguments += ["--steps=2", "--seeds=1", "--images=2"]
    assert main(arguments) == 0
    assert "5 of 5 runs are done" in (docs / "ablations.md").read_text()
    assert (docs / "images" / "ablations.png").read_bytes().startswith(b"\x89PNG")
    assert "5/5 sobel_rms-scratch-s0" in capsys.readouterr().out

    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("trained again"))
    assert main(arguments) == 0 and main([*arguments, "--report"]) == 0
    assert main([*arguments, "--steps=3"]) == 1
    assert "other settings" in capsys.readouterr().err
