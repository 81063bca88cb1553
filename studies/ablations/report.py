"""The study's section of docs/ablations.md: tables, figure, and what the full budget would take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from benchmarks.flops import glic_flops
from glic_pyg.evaluation.tables import markdown_table
from glic_pyg.models.glic import GLIC
from glic_pyg.plotting import encode_figure, styled_figure
from studies.ablations.rows import BASELINE, ROWS, Row, more_rate, separated
from studies.ablations.training import TEST_SET, Run, override_of
from studies.records import Record

__all__ = ["Compute", "ablation_figure", "full_compute", "section"]

SUSTAINED = 1e14
"""Operations per second of the accelerator assumed in the last column of the compute table."""
BACKWARD = 2
"""A backward pass counts as two forward passes."""
OURS, PAPER, LINE = "#D55E00", "#0072B2", "#444444"


def section(records: Mapping[Run, Record], planned: int, figure: str, how: Any) -> str:
    """The section in Markdown.

    Args:
        records: of the finished runs.
        planned: number of runs.
        figure: name of the figure's file in ``images/``.
        how: command, machine, date.
    """
    parts = [
        "## The table",
        _scale(records, planned),
        _main_table(records),
        *_findings(records),
        f"![Every row against Sobel, RMS](images/{figure})",
        "## The full budget",
        _full_budget(),
        _compute_table(),
        f"```\n{how}\n```",
    ]
    return "\n\n".join(parts)


def _scale(records: Mapping[Run, Record], planned: int) -> str:
    """What was trained on what."""
    if not records:
        return f"None of {planned} runs is done."
    record = next(iter(records.values()))
    settings, seeds = record["settings"], sorted({run.seed for run in records})
    crop = settings["crop"]
    return (
        f"{len(records)} of {planned} runs are done. The **paper**'s columns: BD-rate against VTM-9.1 in "
        "percent, models of 69 M parameters trained for 2.3 million steps. The columns measured **here**: "
        f"{settings['steps']} steps of {settings['batch_size']} crops of {crop}×{crop}, "
        f"models of {record['parameters'] / 1e6:.1f} M parameters, λ = {settings['loss']['lmbda']:g}, seeds "
        f"{', '.join(map(str, seeds))}, measured on centre crops ({settings['side']}×{settings['side']}) of "
        "validation images with estimated rates. One λ makes no BD-rate, so the column says how much more "
        "rate a row takes than Sobel, RMS at equal quality, in percent and to first order: 100·(J − J₀)/R₀ "
        "with J = bpp + λ·255²·MSE; mean over the seeds (lowest … highest), each seed against the baseline "
        "of the same seed, which saw the same crops and began, where the shapes are the same, with the same "
        "weights. Negative is better than the released model's settings."
    )


def _main_table(records: Mapping[Run, Record]) -> str:
    header = [
        "",
        "choice",
        "paper: Kodak",
        "paper: CLIC",
        "paper: Tecnick",
        "paper: Kodak, against Sobel RMS",
    ]
    header += ["here: against Sobel RMS, %", "here: bpp", "here: PSNR, dB", "here: CPU s per run"]
    return markdown_table(header, (_row(records, row) for row in ROWS), left=2)


def _row(records: Mapping[Run, Record], row: Row) -> list[str]:
    baseline = next(r.paper for r in ROWS if r.name == BASELINE)
    assert baseline is not None
    paper = [f"{value:.2f}" for value in row.paper] if row.paper else ["–"] * 3
    against = f"{row.paper[0] - baseline[0]:+.2f}" if row.paper else "–"
    own = [record for run, record in records.items() if run.row == row.name]
    if not own:
        return [row.group, row.choice, *paper, against, "", "", "", ""]
    here = "0 (by definition)" if row.name == BASELINE else str(more_rate(records, row))
    sets = [record["sets"][TEST_SET] for record in own]
    metrics = [f"{fmean(s['bpp'] for s in sets):.4f}", f"{fmean(s['psnr'] for s in sets):.2f}"]
    return [row.group, row.choice, *paper, against, here, *metrics, f"{fmean(r['seconds'] for r in own):.0f}"]


def _findings(records: Mapping[Run, Record]) -> Iterable[str]:
    """What the numbers of the rows show and what they do not."""
    apart, usual = separated(records)
    if usual != usual:
        yield "Too few runs are done to say anything."
        return
    names = ", ".join(f"{row.group} {row.choice} ({more_rate(records, row)} %)" for row in apart) or "none"
    losses = [record["sets"][TEST_SET]["loss"] for run, record in records.items() if run.row == BASELINE]
    rates = [record["sets"][TEST_SET]["bpp"] for run, record in records.items() if run.row == BASELINE]
    seeds = 100 * (max(losses) - min(losses)) / fmean(rates)
    yield (
        f"The seeds of a row lie {usual:.2f} percentage points apart on average, and the baseline's own "
        f"losses {seeds:.2f} % of its rate. Rows on one side of zero with every seed by more than the first "
        f"number: {names}. **What is not named did not separate at this scale**; what is named says "
        "something of short training of a tiny model, not of the paper's models. The paper's own rows lie "
        "within 2.4 percentage points of each other on Kodak, after millions of steps."
    )


def _full_budget() -> str:
    return (
        "`glic train experiment=published SETTING` runs a row as the paper trained. Operations are counted "
        "by formula (benchmarks/flops.py: a multiplication and an addition are two; backward is twice "
        "forward; dense products of attention), steps are those of the configuration. The last column "
        "divides by 100 TFLOP/s, which is a supposition and no measurement."
    )


def _compute_table() -> str:
    header = ["setting", "parameters, M", "steps", "TFLOP a step", "EFLOP in all", "days at 100 TFLOP/s"]
    rows = []
    for row in ROWS:
        need = full_compute(row.name)
        days = need.total / SUSTAINED / 86400
        cells = [f"{need.parameters / 1e6:.1f}", f"{need.steps:,}", f"{need.step / 1e12:.2f}"]
        rows.append([f"`{override_of(row.name)}`", *cells, f"{need.total / 1e18:.1f}", f"{days:.1f}"])
    return markdown_table(header, rows, left=1)


@dataclass(frozen=True)
class Compute:
    """Compute of one training.

    Attributes:
        steps: of the optimizer.
        step: operations of one.
        total: operations of all.
        parameters: of the model.
    """

    steps: int
    step: float
    total: float
    parameters: int


def full_compute(row: str) -> Compute:
    """Compute of the full budget of ``glic train experiment=published`` with the setting of a row."""
    cfg = Run(row, seed=0).config("published")
    with torch.device("meta"):
        model: GLIC = instantiate(cfg.model)
    side, batch = cfg.data.crop, cfg.data.batch_size
    stages = zip(cfg.schedule.batches, cfg.schedule.crops, strict=True)
    pixels = {round(batch * b) * round(side * c) ** 2 for b, c in stages}
    assert pixels == {batch * side**2}, "stages of unequal size need an operation count each"
    settings: Any = OmegaConf.to_container(cfg.model, resolve=True)
    flops = glic_flops({**settings, **model.config}, side, side)
    forward = flops.analysis + flops.synthesis + flops.encode_networks
    step = batch * ((1 + BACKWARD) * forward + flops.learning_degrees)
    return Compute(cfg.steps, step, cfg.steps * step, sum(p.numel() for p in model.parameters()))


def ablation_figure(records: Mapping[Run, Record]) -> bytes:
    """Every row against the baseline, a dot per seed, beside the paper, as a PNG file; right is worse."""
    rows = [row for row in ROWS if row.name != BASELINE]
    baseline = next(row.paper for row in ROWS if row.name == BASELINE)
    assert baseline is not None
    with styled_figure(8, 0.3 * len(rows) + 1.2) as figure:
        axes = figure.subplots()
        for place, row in enumerate(rows):
            values = more_rate(records, row).values
            axes.plot(values, [place] * len(values), "o", color=OURS, mfc="none", ms=6)
            if row.paper is not None:
                axes.plot([row.paper[0] - baseline[0]], [place], "D", color=PAPER, ms=5)
        axes.plot([], [], "o", color=OURS, mfc="none", label="here: rate at equal quality, %, a dot per seed")
        axes.plot([], [], "D", color=PAPER, label="paper: BD-rate on Kodak, percentage points")
        axes.axvline(0, color=LINE, lw=0.8)
        axes.set(
            yticks=range(len(rows)),
            yticklabels=[f"{row.group}: {row.choice}" for row in rows],
            xlabel="more rate than Sobel, RMS",
        )
        axes.invert_yaxis()
        axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.4, 1.0))
        return encode_figure(figure)
