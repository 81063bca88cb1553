"""Lightning's trainer for tests: on the CPU, counting steps and not epochs, without a word or a file."""

from __future__ import annotations

from typing import Any

import lightning

__all__ = ["quiet_trainer"]


def quiet_trainer(max_steps: int, **options: Any) -> lightning.Trainer:
    """A trainer that validates once, after the last step; `options` are Lightning's and go before these."""
    defaults = {
        "accelerator": "cpu",
        "max_epochs": -1,
        "check_val_every_n_epoch": None,
        "val_check_interval": max_steps,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
        "use_distributed_sampler": False,
        "logger": False,
    }
    return lightning.Trainer(max_steps=max_steps, **{**defaults, **options})
