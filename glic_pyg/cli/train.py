"""``glic train``: train a codec, configured by Hydra."""

from __future__ import annotations

import logging
import shlex
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from glic_pyg.cli.config_values import check_values
from glic_pyg.cli.hydra import run_hydra_app
from glic_pyg.cli.options import set_threads
from glic_pyg.cli.resume import find_checkpoint, forget_former_settings, refuse_changes, resolved
from glic_pyg.cli.run_folder import (
    alone_in,
    end_with_parent,
    is_first_process,
    keep_settings,
    removed_if_refused,
    write_run_record,
)
from glic_pyg.cli.sweep import NEIGHBOUR, in_sweep, neighbour_weights, run_sweep_job
from glic_pyg.cli.sweep_table import read_metrics, write_metrics
from glic_pyg.errors import GlicError

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
        GlicError: the run's folder, its checkpoint or the images do not fit.
        TrainingError: the run cannot go on as configured.
    """
    import lightning
    from lightning.pytorch.callbacks import LambdaCallback

    output = Path(cfg.paths.output)
    with alone_in(output), removed_if_refused(output, Path(str(cfg.paths.runs))) as begun:
        forget_former_settings(cfg)
        check_values(cfg)
        settings = resolved(cfg)
        checkpoint = find_checkpoint(cfg.ckpt_path, output / "last.ckpt")
        finished = checkpoint is not None and _is_finished(cfg, checkpoint)
        cfg.start_from = _start_from(cfg.start_from, output)
        if cfg.threads is not None:  # a run of hours is not decided by how busy the machine is now
            set_threads(cfg.threads)
        _quieten_lightning()
        _mention_schedule(cfg)
        lightning.seed_everything(cfg.seed, verbose=False)
        begin = checkpoint or cfg.start_from
        log.info("training in %s%s", output, f", from {begin}" if begin else "")

        def begin_run(*_: Any) -> None:
            keep_settings(cfg, output)
            if is_first_process():
                write_run_record(output / "run.json")

        record = LambdaCallback(on_train_start=begin_run, on_train_batch_end=lambda *_: begun())
        metrics = _fit(cfg, settings, checkpoint, record)
        if is_first_process():
            write_metrics(output, (read_metrics(output) if finished else {}) | metrics)
            log.info("finished: %s", output)
    return metrics


def _start_from(value: str | None, output: Path) -> str | None:
    """The file that ``start_from`` means: of the neighbouring λ, in the folder of a run, or itself.

    Raises:
        RunFolderError: no run of a neighbouring λ is there.
        WeightsNotFound: the folder holds no weights, or several.
    """
    from glic_pyg.codec.weights_store import weights_file

    if value == NEIGHBOUR:
        weights = neighbour_weights(output)
        return None if weights is None else str(weights)
    return None if value is None else str(weights_file(value))


def _is_finished(cfg: DictConfig, checkpoint: Path) -> bool:
    """Whether a checkpoint is the end of the run; one that does not go with the run is refused."""
    from glic_pyg.training.callbacks.checkpoint import read_checkpoint

    state = read_checkpoint(checkpoint, mmap=True)
    refuse_changes(cfg, state, checkpoint)
    finished: bool = state["global_step"] == cfg.trainer.max_steps
    if finished:
        log.info(
            "%s was finished: its %d steps are done, and there is nothing to train; more: steps=...",
            checkpoint,
            state["global_step"],
        )
    return finished


def _fit(
    cfg: DictConfig, settings: dict[str, Any], checkpoint: Path | None, record: lightning.Callback
) -> dict[str, float]:
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    from glic_pyg.training.callbacks.interruptions import Stopped, StopSignals

    signals = StopSignals()
    trainer = _trainer(cfg, signals, record)
    module, datamodule = instantiate(cfg.module), instantiate(cfg.data)
    module.save_hyperparameters(settings, logger=False)  # for the checkpoint
    for logger in trainer.loggers:
        logger.log_hyperparams(settings)
    try:
        trainer.fit(module, datamodule, ckpt_path=checkpoint, weights_only=True)
        if not trainer.callback_metrics:  # the checkpoint was the end of the run
            trainer.validate(module, datamodule, verbose=False)
    except SIGTERMException as error:
        raise Stopped(signals.received or signal.SIGTERM, trainer.global_step) from error
    except SystemExit as error:  # Lightning's answer to Ctrl-C
        raise Stopped(signal.SIGINT, trainer.global_step) from error
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _mention_schedule(cfg: DictConfig) -> None:
    """Say where the learning rate does not go through its whole schedule."""
    planned, steps = OmegaConf.select(cfg, "schedule.total_steps"), cfg.trainer.max_steps
    warmup = OmegaConf.select(cfg, "schedule.warmup_steps") or 0
    if planned is not None and planned > steps:
        log.warning(
            "the schedule is for %d steps and the run ends after %d: its learning rate stays above what was "
            "planned for the end; set both by steps=...",
            planned,
            steps,
        )
    elif warmup >= steps:
        log.warning(
            "the learning rate rises for schedule.warmup_steps=%d steps, longer than the run of %d",
            warmup,
            steps,
        )


def _quieten_lightning() -> None:
    """Leave out advertisements, and remarks on what is meant to be so."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r"Found .* module\(s\) in eval mode")  # the averaged copy
    warnings.filterwarnings("ignore", message="`isinstance.treespec, LeafSpec.` is deprecated")


def _trainer(cfg: DictConfig, *more: lightning.Callback) -> lightning.Trainer:
    """The trainer with all configured callbacks and loggers; without a terminal the bar is left out."""
    from lightning.pytorch.callbacks import Checkpoint, ProgressBar

    from glic_pyg.training.callbacks.interruptions import outlive_full_disk

    callbacks = [instantiate(part) for part in cfg.callbacks.values() if part]
    if not sys.stdout.isatty():
        callbacks = [callback for callback in callbacks if not isinstance(callback, ProgressBar)]
    callbacks += more
    bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
    loggers = [outlive_full_disk(instantiate(part)) for part in cfg.logger.values()]
    keeps = any(isinstance(callback, Checkpoint) for callback in callbacks)  # beside our own last.ckpt
    trainer: lightning.Trainer = instantiate(
        cfg.trainer,
        callbacks=callbacks,
        logger=loggers,
        enable_progress_bar=bar,
        enable_checkpointing=keeps or cfg.trainer.enable_checkpointing,
    )
    return trainer


def _objective(cfg: DictConfig, metrics: Mapping[str, float]) -> float | None:
    """What a sweeper that searches minimises or maximises; None for one that does not ask.

    Raises:
        GlicError: a sweeper searches, and the run has no such metric.
    """
    searches = not HydraConfig.get().sweeper._target_.endswith("BasicSweeper")
    if cfg.objective in metrics:
        return float(metrics[cfg.objective])
    if searches and metrics:
        raise GlicError(
            f"objective={cfg.objective} is none of a run's metrics: {', '.join(sorted(metrics))}."
        )
    return None


def _job(cfg: DictConfig) -> float | None:
    """One Hydra job: `train`, in a process of its own if it belongs to a sweep; its objective."""
    if in_sweep():
        return _objective(cfg, run_sweep_job("train", "ckpt_path=last"))
    end_with_parent()
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from glic_pyg.errors import TrainingError
    from glic_pyg.training.callbacks.interruptions import Stopped, is_full_disk, quiet_threads

    resume = f"name={shlex.quote(str(cfg.name))} ckpt_path=last"
    quiet_threads()
    logging.raiseExceptions = False  # no traceback when the disk is too full for the log
    try:
        return _objective(cfg, train(cfg))
    except Stopped as stop:
        saved = (Path(cfg.paths.output) / "last.ckpt").exists()
        how = f"to go on: the same command with {resume}" if saved else "nothing was saved yet"
        log.warning("stopped after step %d; %s", stop.step, how)
        raise SystemExit(128 + stop.number) from stop
    except (TrainingError, FloatingPointError, MisconfigurationException) as error:
        raise GlicError(" ".join(str(error).split())) from error
    except Exception as error:
        if not is_full_disk(error):
            raise
        raise GlicError(f"the disk is full: free some of it and go on with {resume}") from error


def main(argv: Sequence[str]) -> int:
    """Train as ``conf/train.yaml`` and the arguments say; every failure ends in SystemExit.

    Args:
        argv: overrides and Hydra's own options (``-m``, ``--cfg job``, ...).

    Returns:
        0.
    """
    return run_hydra_app("train", _job, argv)
