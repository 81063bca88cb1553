"""The study's section of docs/ablations.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from benchmarks.ablations.comparison import SET, more_rate, separated
from benchmarks.ablations.compute import full_compute
from benchmarks.ablations.rows import BASELINE, ROWS, Row
from benchmarks.ablations.training import Run
from benchmarks.run_records import Record
from glic_pyg.evaluation.markdown_table import markdown_table

__all__ = ["section"]

SUSTAINED = 1e14
"""Operations a second of the accelerator that the last column of the compute table supposes."""


def section(records: Mapping[Run, Record], planned: int, figure: str, how: Any) -> str:
    """Markdown from the heading on.

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
        "validation pictures with estimated rates. One λ makes no BD-rate, so the column says how much more "
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
    header += ["here: against Sobel RMS, %", "here: bpp", "here: PSNR, dB", "here: CPU s a run"]
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
    sets = [record["sets"][SET] for record in own]
    figures = [f"{fmean(s['bpp'] for s in sets):.4f}", f"{fmean(s['psnr'] for s in sets):.2f}"]
    return [row.group, row.choice, *paper, against, here, *figures, f"{fmean(r['seconds'] for r in own):.0f}"]


def _findings(records: Mapping[Run, Record]) -> Iterable[str]:
    """What the rows say and what they do not, from their numbers."""
    apart, usual = separated(records)
    if usual != usual:
        yield "Too few runs are done to say anything."
        return
    names = ", ".join(f"{row.group} {row.choice} ({more_rate(records, row)} %)" for row in apart) or "none"
    losses = [record["sets"][SET]["loss"] for run, record in records.items() if run.row == BASELINE]
    rates = [record["sets"][SET]["bpp"] for run, record in records.items() if run.row == BASELINE]
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
        "`glic train experiment=ablation/ROW` runs a row as the paper trained. Operations are counted by "
        "formula (benchmarks/flops.py: a multiplication and an addition are two; backward is twice forward; "
        "dense products of attention), steps are those of the configuration. The last column divides by "
        "100 TFLOP/s, which is a supposition and no measurement."
    )


def _compute_table() -> str:
    header = ["experiment", "parameters, M", "steps", "TFLOP a step", "EFLOP in all", "days at 100 TFLOP/s"]
    rows = []
    for row in ROWS:
        need = full_compute(row.name)
        days = need.total / SUSTAINED / 86400
        cells = [f"{need.parameters / 1e6:.1f}", f"{need.steps:,}", f"{need.step / 1e12:.2f}"]
        rows.append([f"ablation/{row.name}", *cells, f"{need.total / 1e18:.1f}", f"{days:.1f}"])
    return markdown_table(header, rows, left=1)
