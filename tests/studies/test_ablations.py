"""The ablation study: its rows, its arithmetic, its bookkeeping and its page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.cli.hydra import config_dir
from glic_pyg.errors import GlicError
from studies.ablations import training
from studies.ablations.command import main
from studies.ablations.report import ablation_figure, full_compute, section
from studies.ablations.rows import BASELINE, ROWS, more_rate, separated
from studies.ablations.training import Results, Run, build_module, override_of
from studies.records import Record

BY_NAME = {row.name: row for row in ROWS}


def record(bpp: float, loss: float) -> Record:
    settings = {"steps": 1, "batch_size": 2, "crop": 128, "side": 256, "loss": {"lmbda": 0.01}}
    metrics = {"bpp": bpp, "psnr": 30.0, "loss": loss}
    return {"settings": settings, "parameters": 1_000_000, "seconds": 3.0, "sets": {"val": metrics}}


@pytest.fixture
def records() -> dict[Run, Record]:
    """Mesh alone is worse with both seeds, local alone with one of them."""
    losses = {BASELINE: (1.0, 1.2), "mesh": (1.05, 1.255), "local": (1.01, 1.199)}
    return {
        Run(name, seed): record(0.5, loss) for name, pair in losses.items() for seed, loss in enumerate(pair)
    }


def test_rows_vary_every_graph() -> None:
    graphs = {f"graph={path.stem}" for path in (config_dir() / "graph").glob("*.yaml")}
    varied = {override_of(name) for name in BY_NAME}
    assert len(ROWS) == len(varied) and varied >= graphs


def test_rows_of_a_seed_begin_with_the_same_weights() -> None:
    one, other = (build_module(Run(name, 3).config()).model for name in (BASELINE, "local"))
    for (name, value), (twin, twin_value) in zip(
        one.state_dict().items(), other.state_dict().items(), strict=True
    ):
        assert name == twin and value.equal(twin_value)


def test_more_rate_is_the_difference_of_the_losses_in_percent_of_the_rate(records: dict[Run, Record]) -> None:
    assert more_rate(records, BY_NAME["mesh"]).values == pytest.approx((10.0, 11.0))
    assert more_rate(records, BY_NAME["local"]).values == pytest.approx((2.0, -0.2))
    assert more_rate(records, BY_NAME["union"]).values == ()


def test_a_curve_moved_along_its_slope_costs_no_more_rate() -> None:
    """Two points of one curve R(D) = -a log D, near each other: equal codecs, whatever the point."""
    slope, curve = 2.0, lambda d: -0.1 * np.log(d)
    at = 0.1 / slope  # where dR/dD = -slope
    here, there = (record(curve(d), curve(d) + slope * d) for d in (at, 1.01 * at))
    (value,) = more_rate({Run(BASELINE, 0): here, Run("mesh", 0): there}, BY_NAME["mesh"]).values
    assert abs(value) < 0.01


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
    assert "6 of 40 runs are done" in page
    assert "| -16.97 | -16.21 | -18.21 | +2.32 |" in lines["none: uniform degree (k-NN)"]
    assert "+10.50 (+10.00 … +11.00)" in lines["mesh only"] and "| – | – | – |" in lines["mesh only"]
    assert "graphs mesh only (+10.50" in page and "did not separate" in page
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
    monkeypatch.setattr("studies.ablations.command.ROWS", [BY_NAME[BASELINE], BY_NAME["learned"]])
    docs = tmp_path / "docs"
    arguments = [f"--data={tmp_path}", f"--val={tmp_path}", f"--folder={tmp_path / 'runs'}", f"--docs={docs}"]
    arguments += ["--steps=2", "--seeds=1", "--images=2"]
    assert main(arguments) == 0
    assert "2 of 2 runs are done" in (docs / "ablations.md").read_text()
    assert (docs / "images" / "ablations.png").read_bytes().startswith(b"\x89PNG")
    assert "2/2 learned-s0" in capsys.readouterr().out

    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("trained again"))
    assert main(arguments) == 0 and main([*arguments, "--report"]) == 0
    assert main([*arguments, "--steps=3"]) == 1
    assert "other settings" in capsys.readouterr().err
