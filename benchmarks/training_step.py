"""Time and memory of a training step with all its optimizers; each case in a process of its own.

python -m benchmarks.training_step --models glic glic_m --callbacks default less_memory --markdown
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import lightning
import torch
from hydra.utils import instantiate
from torch.utils.data import DataLoader

from benchmarks.case import run_case
from benchmarks.floor import RateMeter, TimedRun, median_run
from benchmarks.flops import glic_flops
from glic_pyg.evaluation.peak_memory import added_memory
from glic_pyg.evaluation.provenance import provenance, this_machine
from glic_pyg.evaluation.tables import print_table

__all__ = ["main", "silent_fit"]

CONF = Path(__file__).parent.parent / "conf"
STEPS, WARM_UP = 8, 1
HEADER = ("model", "callbacks", "batch", "step, s", "of the floor", "memory, GB", "floor, GFLOP/s")
LEGEND = (
    "A step is forward, backward and every optimizer, in float32; the median of some. The floor is a "
    "plain float32 matrix product of three times the FLOPs of the forward pass, measured just before and "
    "after each step. Memory is what training adds, at its peak, to a process that has loaded the "
    "libraries."
)


def silent_fit(
    module: lightning.LightningModule,
    batches: Any,
    steps: int,
    *,
    callbacks: Sequence[lightning.Callback] = (),
    accelerator: str = "cpu",
) -> None:
    """Train a module on one device with Lightning: no progress bar, no files, no advice.

    Args:
        module: changed in place.
        batches: a data set of whole batches, as many as steps.
        steps: of the codec's optimizer.
        callbacks: beside the module's own.
        accelerator: Lightning's name of the kind of device.
    """
    trainer = lightning.Trainer(
        accelerator=accelerator,
        devices=1,
        max_steps=steps,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning recommends loader workers and longer runs
        trainer.fit(module, DataLoader(batches, batch_size=None))


class StepTimer(lightning.Callback):
    """Times each training step and the floor around it."""

    def __init__(self) -> None:
        self.steps: list[TimedRun] = []
        self._meter = RateMeter()

    def on_train_batch_start(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps.append(self._meter.after({"whole": time.perf_counter() - self._start}))


def measure(model: str, callbacks: str, batch: int, crop: int, threads: int) -> dict[str, Any]:
    """Train a few steps on noise and report the median, beside the floor."""
    torch.set_num_threads(threads)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [f"model={model}", f"callbacks={callbacks}", "module.ema_decay=null", "steps=1000000"]
        cfg = hydra.compose("train", overrides, return_hydra_config=False)
    timer, found = StepTimer(), {}

    def train() -> None:
        module = instantiate(cfg.module)
        extra = cfg.callbacks.get("checkpoint_activations")
        watching = [timer, *([instantiate(extra)] if extra else [])]
        silent_fit(module, torch.rand(STEPS, batch, 3, crop, crop), STEPS, callbacks=watching)
        found["config"] = module.model.config

    memory = added_memory(train)
    flops = glic_flops(found["config"], crop, crop)
    forward = batch * (flops.analysis + flops.synthesis + flops.encode_networks)
    step = median_run(timer.steps[WARM_UP:])
    seconds, ratio = step.seconds["whole"], step.seconds["whole"] * step.rate / (3 * forward)
    return {"seconds": seconds, "ratio": ratio, "memory": memory, "rate": step.rate}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every case and print a table: 0, or 1 if one failed."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_step", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--models", nargs="+", default=["glic", "glic_m", "glic_s", "glic_xs"], help="of conf/model"
    )
    parser.add_argument(
        "--callbacks", nargs="+", default=["default", "less_memory"], help="of conf/callbacks"
    )
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument(
        "--threads", type=int, default=this_machine().cores, metavar="N", help="default: all usable cores"
    )
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/results.md")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.one:
        print(json.dumps(measure(args.models[0], args.callbacks[0], args.batch, args.crop, args.threads)))
        return 0
    torch.set_num_threads(args.threads)
    how = provenance(["python", "-m", "benchmarks.training_step", *arguments])
    cases = [(model, callbacks) for model in args.models for callbacks in args.callbacks]
    rows = [row for model, callbacks in cases if (row := _row(model, callbacks, args))]
    print_table(HEADER, rows, markdown=args.markdown, left=3)
    print(f"\n{LEGEND}\n\n{how}")
    return 0 if len(rows) == len(cases) else 1


def _row(model: str, callbacks: str, args: argparse.Namespace) -> tuple[str, ...] | None:
    """Measure one row in a new process; a failure is printed."""
    sizes = [f"--{name}={getattr(args, name)}" for name in ("batch", "crop", "threads")]
    what = ["--models", model, "--callbacks", callbacks]
    case = run_case("benchmarks.training_step", ["--one", *sizes, *what])
    if case is None:
        return None
    batch = f"{args.batch}×{args.crop}×{args.crop}"
    numbers = f"{case['seconds']:.2f}", f"{case['ratio']:.2f}×", f"{case['memory'] / 1e9:.2f}"
    return model, callbacks, batch, *numbers, f"{case['rate'] / 1e9:.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
