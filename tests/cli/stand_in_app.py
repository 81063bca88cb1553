"""An application of Hydra whose jobs last milliseconds, for launchers that pickle them."""

from __future__ import annotations

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from glic_pyg.cli import sweep
from glic_pyg.cli.hydra import run_hydra_app

# Counts its calls, fails for lmbda=2 the first time, writes its metrics as glic train does.
STAND_IN = """
import json, sys
from pathlib import Path
folder, lmbda = Path(sys.argv[1]), float(sys.argv[2])
calls = folder / "calls"
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
if lmbda == 2 and calls.read_text() == "x":
    sys.exit("glic train: it broke")
(folder / "metrics.json").write_text(json.dumps({"train/loss": 1, "val/bpp": lmbda / 4}))
"""


def job(cfg: DictConfig) -> dict[str, float]:
    """What Hydra calls for every job, in a worker of the launcher."""
    sweep._command_line = command_line
    return sweep.run_sweep_job("train")


def command_line(command: str, folder: Path, more: tuple[str, ...]) -> list[str]:
    """Stands in for the command line of ``glic train``."""
    overrides = HydraConfig.get().overrides.task
    lmbda = next(o.partition("=")[2] for o in overrides if o.startswith("loss.lmbda="))
    return [sys.executable, "-c", STAND_IN, str(folder), lmbda]


def main(arguments: list[str]) -> int:
    """Sweep."""
    return run_hydra_app("train", job, arguments)
