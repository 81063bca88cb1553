"""Return to an earlier state of the run, at half the learning rate, when the loss jumps."""

from __future__ import annotations

import copy
import logging
import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from glic_pyg.training.module import CodecModule

__all__ = ["RollBack"]


log = logging.getLogger(__name__)


class RollBack(Callback):
    """Restore weights and optimizers of some hundred steps ago when the smoothed loss jumps.

    Adam at a high rate can leave a good region within tens of steps and never find back. The mean loss of the
    last ``recent`` steps is compared with that of the last ``window`` steps. When it is larger by ``jump``,
    and by ``deviations`` standard errors, since the loss of small batches scatters by itself, weights, their
    average and the codec's optimizer return to the older of two snapshots, and the codec's learning rate is
    multiplied by ``factor`` from then on. Steps are counted on, so the crops that follow are new ones.

    Snapshots are kept in memory, in this process. A resumed run begins with the state that it resumes from as
    its snapshot; until something jumps, it repeats the uninterrupted run to the last bit.

    Args:
        window: steps whose loss counts as usual.
        recent: steps whose loss is compared with it.
        jump: largest rise, as a share of the usual loss.
        deviations: largest rise in standard errors of a mean of ``recent`` losses.
        factor: on the learning rate at each return.
        every: steps between two snapshots.
        max_returns: returns after which the run ends.

    Raises:
        FloatingPointError: more than ``max_returns`` returns; the checkpoint is left as it is.
    """

    def __init__(
        self,
        window: int = 200,
        recent: int = 20,
        jump: float = 0.2,
        deviations: float = 6.0,
        factor: float = 0.5,
        every: int = 500,
        max_returns: int = 5,
    ) -> None:
        self.window, self.recent, self.jump, self.factor = window, recent, jump, factor
        self.deviations = deviations
        self.every, self.max_returns = every, max_returns
        self.returns = 0
        self._losses: deque[float] = deque(maxlen=window)
        self._snapshots: deque[dict[str, Any]] = deque(maxlen=2)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take the first snapshot, after whatever sets the model up."""
        assert isinstance(pl_module, CodecModule)
        self._snapshots.clear()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *args: Any
    ) -> None:
        """Look at the loss; return to a snapshot or take one when it is due."""
        assert isinstance(pl_module, CodecModule)
        loss = float(trainer.callback_metrics["train/loss"])
        loss = trainer.strategy.reduce(torch.tensor(loss, device=pl_module.device), reduce_op="mean").item()
        if math.isfinite(loss):  # that of a skipped step is not
            self._losses.append(loss)
        if self._jumped():
            self._return(trainer, pl_module)
        elif not self._snapshots or trainer.global_step % self.every == 0:
            self._snapshots.append(_state(pl_module))

    def _jumped(self) -> bool:
        losses = list(self._losses)
        if len(losses) < self.window:
            return False
        return has_jumped(losses[: -self.recent], losses[-self.recent :], self.jump, self.deviations)

    def _return(self, trainer: lightning.Trainer, module: CodecModule) -> None:
        self.returns += 1
        if self.returns > self.max_returns:
            raise FloatingPointError(
                f"The loss jumped by more than {self.jump:.0%} for the {self.returns}th time: start again "
                "from the checkpoint with a lower learning rate."
            )
        rates = [group["lr"] for group in module.named_optimizers["codec"].param_groups]
        _restore(module, self._snapshots[0])
        scheduler = module.named_schedulers["codec"]
        scheduler.base_lrs = [rate * self.factor for rate in scheduler.base_lrs]
        for group, rate in zip(module.named_optimizers["codec"].param_groups, rates, strict=True):
            group["lr"] = rate * self.factor
        log.warning(
            "step %d: the loss jumped; back to the weights of step %d, at %g of the learning rate",
            trainer.global_step,
            self._snapshots[0]["step"],
            self.factor**self.returns,
        )
        self._losses.clear()

    def state_dict(self) -> dict[str, Any]:
        return {"returns": self.returns, "losses": list(self._losses)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.returns = state_dict["returns"]
        self._losses.extend(state_dict["losses"])


def has_jumped(usual: Sequence[float], recent: Sequence[float], jump: float, deviations: float) -> bool:
    """Whether recent losses lie above the usual ones, by more than a share of those and than by chance.

    Args:
        usual: losses of calm steps; how they scatter says what chance does.
        recent: losses of the last steps.
        jump, deviations: see :class:`RollBack`.
    """
    error = pstdev(usual) / math.sqrt(len(recent))
    return fmean(recent) - fmean(usual) > max(jump * abs(fmean(usual)), deviations * error)


def _state(module: CodecModule) -> dict[str, Any]:
    return {
        "step": module.global_step,
        "weights": copy.deepcopy(module.state_dict()),
        "optimizer": copy.deepcopy(module.named_optimizers["codec"].state_dict()),
    }


def _restore(module: CodecModule, state: dict[str, Any]) -> None:
    module.load_state_dict(state["weights"])
    module.named_optimizers["codec"].load_state_dict(copy.deepcopy(state["optimizer"]))
