"""``glic train``: train a codec, configured by Hydra."""

from __future__ import annotations

import errno
import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from glic_pyg.cli.hydra_app import run_hydra_app
from glic_pyg.cli.job_record import write_metrics
from glic_pyg.cli.processes import end_with_parent, is_first_process
from glic_pyg.cli.run_folder import RunFolderError, alone_in
from glic_pyg.cli.sweep_chain import NEIGHBOUR, neighbour_weights
from glic_pyg.cli.sweep_job import in_sweep, run_sweep_job
from glic_pyg.codec.errors import GlicError
from glic_pyg.training.run_record import write_run_record

if TYPE_CHECKING:
    import lightning

__all__ = ["main", "train"]

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> dict[str, float]:
    """Run the training that a composed configuration describes.

    Args:
        cfg: ``conf/train.yaml`` with its groups.

    Returns:
        The last value of everything that was logged.

    Raises:
        GlicError: the run's folder, its checkpoint or the pictures do not fit.
        TrainingError: the run cannot go on as configured.
    """
    import lightning
    import torch

    output = Path(cfg.paths.output)
    checkpoint = _checkpoint(cfg.ckpt_path, output / "last.ckpt")
    if cfg.start_from == NEIGHBOUR:
        weights = neighbour_weights(output)
        cfg.start_from = None if weights is None else str(weights)
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    _quieten_lightning()
    lightning.seed_everything(cfg.seed, verbose=False)
    with alone_in(output):
        if is_first_process():
            write_run_record(output / "run.json")
        begin = checkpoint or cfg.start_from
        log.info("training in %s%s", output, f", from {begin}" if begin else "")
        metrics = _fit(cfg, checkpoint)
        if is_first_process():
            write_metrics(output, metrics)
            log.info("finished: %s", output)
    return metrics


def _fit(cfg: DictConfig, checkpoint: str | None) -> dict[str, float]:
    trainer, module, datamodule = _trainer(cfg), instantiate(cfg.module), instantiate(cfg.data)
    trainer.fit(module, datamodule, ckpt_path=checkpoint, weights_only=True)
    if not trainer.callback_metrics:  # the checkpoint was the end of the run
        trainer.validate(module, datamodule, verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _quieten_lightning() -> None:
    """Leave out advertisements, and remarks on what is meant to be so."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r"Found .* module\(s\) in eval mode")  # the averaged copy
    warnings.filterwarnings("ignore", message="`isinstance.treespec, LeafSpec.` is deprecated")


def _checkpoint(wanted: str | None, last: Path) -> str | None:
    """The checkpoint to start from, if any."""
    if wanted is None and last.exists():
        raise RunFolderError(f"{last} exists already: go on with ckpt_path=last, or choose another name=...")
    if wanted == "last":
        return str(last) if last.exists() else None
    if wanted is not None and not Path(wanted).exists():
        raise RunFolderError(f"Checkpoint {wanted} does not exist.")
    return wanted


def _trainer(cfg: DictConfig) -> lightning.Trainer:
    """The trainer with all configured callbacks and loggers; without a terminal the bar is left out."""
    from lightning.pytorch.callbacks import ProgressBar

    callbacks = [instantiate(part) for part in cfg.callbacks.values() if part]
    if not sys.stdout.isatty():
        callbacks = [callback for callback in callbacks if not isinstance(callback, ProgressBar)]
    bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
    loggers = [instantiate(part) for part in cfg.logger.values()]
    trainer: lightning.Trainer = instantiate(
        cfg.trainer, callbacks=callbacks, logger=loggers, enable_progress_bar=bar
    )
    return trainer


def _job(cfg: DictConfig) -> dict[str, float]:
    """One Hydra job: `train`, in a process of its own if it belongs to a sweep."""
    if in_sweep():
        return run_sweep_job("train", "ckpt_path=last")
    end_with_parent()
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    from glic_pyg.training.errors import TrainingError

    try:
        return train(cfg)
    except SIGTERMException as error:
        log.warning("told to stop; go on with name=%s ckpt_path=last", cfg.name)
        raise SystemExit(128 + signal.SIGTERM) from error
    except (TrainingError, FloatingPointError) as error:
        raise GlicError(str(error)) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sentence = f"the disk is full: free some of it and go on with name={cfg.name} ckpt_path=last"
        raise GlicError(sentence) from error


def main(argv: Sequence[str]) -> int:
    """Train as ``conf/train.yaml`` and the arguments say; every failure ends in SystemExit.

    Args:
        argv: overrides and Hydra's own options (``-m``, ``--cfg job``, ...).

    Returns:
        0.
    """
    return run_hydra_app("train", _job, argv)
