"""Which recipe learns most: runs of `glic train` of equal length, beside each other.

python -m studies.shipping.compare_runs runs/race --names optim.codec.lr model.gfa_depth --markdown
python -m studies.shipping.compare_runs runs/long --progress --markdown   (every validation, no times)
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from glic_pyg.evaluation.provenance import provenance
from glic_pyg.evaluation.tables import print_table
from glic_pyg.models.gain import Gain
from glic_pyg.training.optimizers import parameter_groups

__all__ = ["main"]


OPTIMIZER_STEPS = 20
LEGEND = (
    "Cost is the objective on the validation images, its mean over the validated qualities with the "
    "weights of the loss; bpp is estimated."
)
LEGEND_OF_TIMES = (
    " A pass is forward and backward of one batch; both times are processor seconds of one thread, the "
    "optimizer's a mean over 20 steps."
)

Validation = tuple[DictConfig, dict[str, str]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studies.shipping.compare_runs", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="of the runs, each with its configuration and metrics")
    parser.add_argument("--names", nargs="*", default=["optim.codec.lr"], help="settings to show")
    parser.add_argument("--progress", action="store_true", help="every validation, in the order of the runs")
    parser.add_argument("--markdown", action="store_true", help="print a table for the docs")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, the best run first; 0, or 1 if there is no run."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    found = _found(args.folder, progress=args.progress)
    if not found:
        print(f"compare_runs: no run in {args.folder} has a validated variable-rate model.", file=sys.stderr)
        return 1
    header = ["steps", "batch", "optimizer", *args.names, "cost"]
    header += [f"quality {quality}" for quality in found[0][0].module.val_qualities]
    rows = [_row(cfg, metrics, args.names) for cfg, metrics in found]
    legend = LEGEND
    if not args.progress:
        header += ["pass, s", "optimizer, s"]
        rows = [[*row, *_times(cfg)] for row, (cfg, _) in zip(rows, found, strict=True)]
        legend += LEGEND_OF_TIMES
    print_table(header, rows, markdown=args.markdown, left=3 + len(args.names))
    print(f"\n{legend}\n\n{provenance(['python', '-m', 'studies.shipping.compare_runs', *arguments])}")
    return 0


def _found(folder: Path, *, progress: bool) -> list[Validation]:
    """Every validation in the order of the runs, or each run's last one, the best run first."""
    configs = sorted(folder.glob("*/.hydra/config.yaml"))
    runs = [validations for config in configs if (validations := _validations(config))]
    if progress:
        return [validation for run in runs for validation in run]
    return sorted((run[-1] for run in runs), key=_cost)


def _validations(config: Path) -> list[Validation]:
    """A run's configuration with each of its validations, in the order of the steps."""
    cfg = OmegaConf.load(config)
    assert isinstance(cfg, DictConfig)
    rows: list[dict[str, str]] = []
    for log in sorted((config.parent.parent / "metrics").rglob("metrics.csv")):
        with log.open(newline="") as file:
            rows += [row for row in csv.DictReader(file) if _validated(row)]
    return [(cfg, row) for row in sorted(rows, key=lambda row: int(row["step"]))]


def _validated(row: dict[str, str]) -> list[str]:
    return [name for name, value in row.items() if name.startswith("val/loss@") and value]


def _cost(run: Validation) -> float:
    """Mean over the qualities of what the run minimised."""
    cfg, metrics = run
    qualities = torch.tensor([float(quality) for quality in cfg.module.val_qualities])
    weights = (Gain(list(cfg.model.levels), 1).lmbda(qualities) / cfg.loss.lmbda) ** -cfg.loss.balance
    losses = torch.tensor([float(metrics[f"val/loss@{quality:g}"]) for quality in qualities.tolist()])
    return (weights * losses).mean().item()


def _row(cfg: DictConfig, metrics: dict[str, str], names: Sequence[str]) -> list[str]:
    """Cells of a validation."""
    points = [
        f"{float(metrics[f'val/bpp@{q:g}']):.3f} bpp, {float(metrics[f'val/psnr@{q:g}']):.2f} dB"
        for q in cfg.module.val_qualities
    ]
    batch = f"{cfg.data.batch_size}×{cfg.data.crop}²"
    settings = [str(OmegaConf.select(cfg, name)) for name in names]
    optimizer = cfg.optim.codec._target_.rsplit(".", 1)[-1]
    cost = f"{_cost((cfg, metrics)):.4f}"
    return [str(int(metrics["step"]) + 1), batch, optimizer, *settings, cost, *points]


def _times(cfg: DictConfig) -> tuple[str, str]:
    """Cells: seconds of a forward and backward pass, and of a step of the optimizer."""
    module: Any = instantiate(cfg.module)
    parameters = list(parameter_groups(module.model).codec.values())
    x = torch.rand(cfg.data.batch_size, 3, cfg.data.crop, cfg.data.crop)
    quality = torch.linspace(0, 100, len(x))

    def step() -> None:
        out = module.model(x, quality)
        lmbdas = module.model.rates.lmbda(quality)
        module.loss(x, out["x_hat"], out["likelihoods"], module.model.ortho_loss(), lmbdas).loss.backward()

    passes = min(_seconds(step) for _ in range(3))
    optimizer = module.codec_optimizer(parameters)
    optimizer.step()
    steps = sum(_seconds(optimizer.step) for _ in range(OPTIMIZER_STEPS))
    return f"{passes:.3f}", f"{steps / OPTIMIZER_STEPS:.3f}"


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    raise SystemExit(main())
