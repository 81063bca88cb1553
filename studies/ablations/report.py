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
from studies.ablations.training import Kind, Run, override_of
from studies.records import Record

__all__ = ["Compute", "ablation_figure", "full_compute", "section"]

SUSTAINED = 1e14
"""Operations per second of the accelerator assumed in the last column of the compute table."""
BACKWARD = 2
"""A backward pass counts as two forward passes."""
OURS, PAPER, LINE = "#D55E00", "#0072B2", "#444444"
KINDS: dict[Kind, str] = {"swapped": "swapped", "tuned": "trained on", "scratch": "from scratch"}
"""Kinds of runs, as the tables name them."""


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
    trained = {run: record for run, record in records.items() if run.kind != "swapped"}
    seconds = sum(record["seconds"] for record in records.values())
    text = (
        f"{len(records)} of {planned} runs are done, in {seconds / 3600:.1f} core-hours. The **paper**'s "
        "columns: BD-rate against VTM-9.1 in percent, models of 69 M parameters trained for 2.3 million "
        "steps. The columns measured **here** are BD-rates against the first row of the same column, in "
        "percent; negative is better than the released model's settings. *Swapped*: the shipped weights with "
        "the setting changed and no training. "
    )
    if not trained:
        return text
    settings, seeds = next(iter(trained.values()))["settings"], sorted({run.seed for run in trained})
    crop = settings["crop"]
    side = settings["side"]
    return text + (
        f"*Trained on*: {settings['steps']} steps of {settings['batch_size']} crops of {crop}×{crop} from "
        f"there, at every rate, seeds {', '.join(map(str, seeds))}: mean over the seeds (lowest … highest), "
        "each seed against the baseline of the same seed, which began with the same weights and saw the same "
        "crops and noise. *From scratch*: as many steps from a linear transform codec. Measured at qualities "
        f"{', '.join(map(str, settings['qualities']))} on centre crops ({side}×{side}) of validation images, "
        "rates estimated. Training on favours what the weights were trained with (the "
        "released graphs, and exact budgets at the end), the less the longer it lasts: compare it with "
        "*swapped*."
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
    header += [f"here: {name}, %" for name in KINDS.values()] + ["here: CPU s per training"]
    return markdown_table(header, (_row(records, row) for row in ROWS), left=2)


def _row(records: Mapping[Run, Record], row: Row) -> list[str]:
    baseline = next(r.paper for r in ROWS if r.name == BASELINE)
    assert baseline is not None
    paper = [f"{value:.2f}" for value in row.paper] if row.paper else ["–"] * 3
    against = f"{row.paper[0] - baseline[0]:+.2f}" if row.paper else "–"
    here = [_here(records, row, kind) for kind in KINDS]
    times = [r["seconds"] for run, r in records.items() if (run.row, run.kind) == (row.name, "tuned")]
    return [row.group, row.choice, *paper, against, *here, f"{fmean(times):.0f}" if times else ""]


def _here(records: Mapping[Run, Record], row: Row, kind: Kind) -> str:
    if row.name == BASELINE:
        return "0"
    values = more_rate(records, row, kind)
    return str(values) if values.values else "–"


def _findings(records: Mapping[Run, Record]) -> Iterable[str]:
    """What the numbers of the rows show and what they do not."""
    apart, usual = separated(records)
    if usual != usual:
        yield "Too few runs are done to say anything."
        return
    names = "; ".join(f"{row.group}, {row.choice} ({more_rate(records, row)} %)" for row in apart) or "none"
    yield (
        f"After training on, the seeds of a row lie {usual:.2f} percentage points apart on average. Rows on "
        f"one side of zero with every seed by more than that: {names}. **What is not named did not separate "
        "at this scale.** The paper's own rows lie within 2.4 percentage points of each other on Kodak, "
        "after millions of steps."
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
            swapped = more_rate(records, row, "swapped").values
            axes.plot(swapped, [place] * len(swapped), "|", color=OURS, ms=9)
            if row.paper is not None:
                axes.plot([row.paper[0] - baseline[0]], [place], "D", color=PAPER, ms=5)
        axes.plot([], [], "o", color=OURS, mfc="none", label="here: BD-rate, %, trained on, a dot a seed")
        axes.plot([], [], "|", color=OURS, ms=9, label="here: before it")
        axes.plot([], [], "D", color=PAPER, label="paper: BD-rate on Kodak, percentage points")
        axes.axvline(0, color=LINE, lw=0.8)
        axes.set(
            yticks=range(len(rows)),
            yticklabels=[f"{row.group}: {row.choice}" for row in rows],
            xlabel="more rate than Sobel, RMS",
        )
        axes.invert_yaxis()
        axes.set_xscale("symlog", linthresh=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.legend(fontsize=8, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))
        return encode_figure(figure)
