"""Which extra of the package installs a module that a command misses."""

from __future__ import annotations

__all__ = ["EXTRA_OF_COMMAND", "EXTRA_OF_MODULE", "missing_package"]

EXTRA_OF_COMMAND = {"train": "train", "test": "eval", "rd": "eval", "inspect": "inspect", "demo": "inspect"}
"""Commands that need more than encoding and decoding, and the extra with all of that."""
EXTRA_OF_MODULE = {
    "bjontegaard": "eval",
    "hydra": "train",
    "lightning": "train",
    "matplotlib": "inspect",
    "mlflow": "mlflow",
    "networkx": "inspect",
    "omegaconf": "train",
    "pyarrow": "parquet",
    "pytorch_optimizer": "optim",
    "scipy": "inspect",
    "tensorboard": "train",
    "wandb": "wandb",
}
"""Modules that are not installed with the package itself, and the extra that installs them."""


def missing_package(error: ModuleNotFoundError, command: str) -> str | None:
    """What to install, in a sentence; None if the module is none that an extra installs.

    Args:
        error: that a module is missing.
        command: of ``glic``, by name.
    """
    module = str(error.name).partition(".")[0]
    if module not in EXTRA_OF_MODULE:
        return None
    extra, whole = EXTRA_OF_MODULE[module], EXTRA_OF_COMMAND.get(command)
    if extra in ("train", "eval", "inspect") and whole is not None:
        extra = whole
    return f"this needs the package {module}: pip install 'glic-pyg[{extra}]'."
