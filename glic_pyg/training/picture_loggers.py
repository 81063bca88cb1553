"""Pictures into whatever logger can show them."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.loggers import Logger
from torch import Tensor


def log_picture(logger: Logger, tag: str, picture: Tensor, step: int) -> bool:
    """Hand a picture to TensorBoard, Weights & Biases or MLflow.

    Known by what they can do and not by their classes, so that none of them need be installed.

    Args:
        logger: any of Lightning's.
        tag: e.g. ``pictures/kodim01/reconstruction``.
        picture: (3, H, W) in [0, 1].
        step: of the run.

    Returns:
        Whether the logger takes pictures; files of figures do not.
    """
    pixels = (picture.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    anything: Any = logger
    experiment = anything.experiment
    if hasattr(experiment, "add_image"):  # TensorBoard
        experiment.add_image(tag, pixels, step, dataformats="HWC")
    elif hasattr(logger, "log_image"):  # Weights & Biases
        anything.log_image(tag, [pixels], step)
    elif hasattr(experiment, "log_image"):  # MLflow
        experiment.log_image(anything.run_id, pixels, key=tag, step=step)
    else:
        return False
    return True
