"""``glic train``: train a codec, configured by Hydra."""

import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import lightning
import torch
from hydra.utils import instantiate
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import glic_pyg
from glic_pyg.data.image_file import DataError
from glic_pyg.training.run_record import write_run_record

log = logging.getLogger(__name__)


class TrainError(ValueError):
    """The run cannot start as configured; the message is one sentence for the user."""


def config_dir() -> Path:
    """Folder of the configuration: inside the installed package, or beside it in a checkout."""
    package = Path(glic_pyg.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def train(cfg: DictConfig) -> dict[str, float]:
    """Run the training that a composed configuration describes.

    Args:
        cfg: ``conf/train.yaml`` with its groups.

    Returns:
        The last value of everything that was logged.

    Raises:
        TrainError: the run's folder or checkpoint does not fit.
        DataError: the pictures are missing or unusable.
    """
    output = Path(cfg.paths.output)
    checkpoint = _checkpoint(cfg.ckpt_path, output / "last.ckpt")
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    # The averaged copy of the model stays in eval mode, which Lightning would remark on.
    warnings.filterwarnings("ignore", message=r"Found .* module\(s\) in eval mode")
    lightning.seed_everything(cfg.seed, verbose=False)
    write_run_record(output / "run.json")
    datamodule = instantiate(cfg.data)
    module = instantiate(cfg.module)
    callbacks = _callbacks(cfg)
    loggers = [instantiate(part) for part in cfg.logger.values()]
    trainer: lightning.Trainer = instantiate(
        cfg.trainer, callbacks=callbacks, logger=loggers, enable_progress_bar=_has_bar(callbacks)
    )
    log.info("training in %s%s", output, f", from {checkpoint}" if checkpoint else "")
    trainer.fit(module, datamodule, ckpt_path=checkpoint, weights_only=True)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _checkpoint(wanted: str | None, last: Path) -> str | None:
    """The checkpoint to start from, if any."""
    if wanted is None and last.exists():
        raise TrainError(f"{last} exists already: go on with ckpt_path=last, or choose another name=...")
    if wanted == "last":
        return str(last) if last.exists() else None
    if wanted is not None and not Path(wanted).is_file():
        raise TrainError(f"Checkpoint {wanted} does not exist.")
    return wanted


def _callbacks(cfg: DictConfig) -> list[Any]:
    """All configured callbacks; without a terminal the bar is left out."""
    parts = [instantiate(part) for part in cfg.callbacks.values() if part]
    terminal = sys.stdout.isatty()
    return [
        part for part in parts if terminal or not isinstance(part, lightning.pytorch.callbacks.ProgressBar)
    ]


def _has_bar(callbacks: Sequence[Any]) -> bool:
    return any(isinstance(part, lightning.pytorch.callbacks.ProgressBar) for part in callbacks)


def _job(cfg: DictConfig) -> dict[str, float]:
    """One Hydra job: `train`, with errors of the user's making as one sentence."""
    try:
        return train(cfg)
    except SIGTERMException as error:
        log.warning("told to stop; go on with name=%s ckpt_path=last", cfg.name)
        raise SystemExit(128 + signal.SIGTERM) from error
    except (DataError, TrainError, FloatingPointError, OmegaConfBaseException) as error:
        raise SystemExit(f"glic train: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Hand the arguments to Hydra.

    Args:
        argv: overrides and Hydra's own options (``-m``, ``--cfg job``, ...); ``sys.argv`` by default.

    Returns:
        0; every failure ends in SystemExit.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    app = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")(_job)
    before, sys.argv = sys.argv, ["glic train", *arguments]
    try:
        app()
    finally:
        sys.argv = before
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
