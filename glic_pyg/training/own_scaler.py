"""A loss scale of its own for each optimizer under float16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class OwnScaler:
    """Stands in for Lightning's gradient scaler during one optimizer's turn.

    Under float16 Lightning keeps one scaler, which halves its scale whenever a gradient overflows. If all
    optimizers used it, overflows of theta would decide which of the codec's steps are skipped, and α = 0
    would not be plain training.

    Args:
        precision: Lightning's precision plugin; one without a scaler needs nothing.
    """

    def __init__(self, precision: Any) -> None:
        self.precision = precision
        shared = getattr(precision, "scaler", None)
        self.scaler = None if shared is None else _like(shared, precision.device)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, Lightning's backward passes and optimizer steps use this scaler."""
        if self.scaler is None:
            yield
            return
        shared, self.precision.scaler = self.precision.scaler, self.scaler
        try:
            yield
        finally:
            self.precision.scaler = shared

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint; empty without a scaler."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)


def _like(scaler: torch.amp.GradScaler, device: str) -> torch.amp.GradScaler:
    """A scaler with the settings of another."""
    return torch.amp.GradScaler(
        device,
        init_scale=scaler.get_scale(),
        growth_factor=scaler.get_growth_factor(),
        backoff_factor=scaler.get_backoff_factor(),
        growth_interval=scaler.get_growth_interval(),
    )
