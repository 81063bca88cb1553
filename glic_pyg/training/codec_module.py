"""The LightningModule that trains a codec, and with it the source model of the regularizer."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from glic_pyg import allocator
from glic_pyg.errors import TrainingError
from glic_pyg.graph.similarity import NonFiniteMap
from glic_pyg.models.base import Codec, as_codec
from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.training.alternation import Alternation
from glic_pyg.training.batch import Batch
from glic_pyg.training.codec_step import CodecStep
from glic_pyg.training.ema import WeightAverage
from glic_pyg.training.float32_entropy import entropy_in_float32
from glic_pyg.training.loss import RateDistortionLoss
from glic_pyg.training.parameter_groups import parameter_groups
from glic_pyg.training.quantile_solver import quantiles_solved
from glic_pyg.training.sample_noise import SampleNoise
from glic_pyg.training.step_figures import StepFigures
from glic_pyg.training.step_seed import step_seed
from glic_pyg.training.turn_taking import Learner, OptimizerFactory, Schedule, TurnTaking
from glic_pyg.training.validation import measure_picture

log = logging.getLogger(__name__)

KEPT_BETWEEN_STEPS = 2 * 2**30
"""Bytes of freed memory that are kept for the next step on a CPU."""


class CodecModule(TurnTaking):
    r"""Up to three groups of parameters, one batch, one step.

    The codec follows :math:`R + \lambda D + w L_\mathrm{ortho} - \alpha H_\theta`, the quantiles their
    auxiliary loss, the source model :math:`H_\theta` on the codec's detached reconstructions
    (:class:`Alternation` says when). With α = 0 the codec's weights are those of plain training, to the last
    bit.

    The noise of a sample hangs on (seed, step, its place in the batch over all processes): a resumed run
    repeats the uninterrupted one to the last bit, and several processes do what one would do with the same
    batch, up to the order of summation (:class:`SampleNoise`).

    Gradients are accumulated inside a step: the batch is cut into ``micro_batches`` that go through one
    after the other. Thus a batch is a step, and a recipe is the same with any amount of memory.

    Args:
        model: see :class:`~glic_pyg.models.base.Codec`, or one of CompressAI's models.
        loss: rate, distortion and orthogonality.
        codec_optimizer: makes the optimizer from the codec's parameters.
        quantile_optimizer: makes the optimizer from the quantiles; None solves for them instead, every
            ``solve_every`` steps and for each validation and export.
        schedule: factor on the codec's learning rate as a function of the step.
        regularizer: owner of q_theta and of α; None is plain training.
        source_optimizer: makes the optimizer from theta; needed with a regularizer.
        alternation: how codec and theta take turns.
        clip_norm: largest 2-norm of the codec's gradient; None does not clip.
        micro_batches: parts that a batch is cut into.
        ema_decay: see :class:`WeightAverage`; the average is what is validated and exported. None keeps no
            average and no second copy of the weights.
        solve_every: steps between two solutions of the quantiles.
        seed: seed of the noise.
        max_skipped: a step whose loss or gradient is not finite is skipped; after this many in a row the
            run ends.
        val_qualities: at which a variable-rate model is validated.
        lr_scales: factors on the codec's learning rate by patterns of parameter names, e.g.
            ``{"*.side.*": 0.1}`` for the Haar branches.

    Raises:
        TrainingError: the arguments contradict each other.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: RateDistortionLoss,
        codec_optimizer: OptimizerFactory,
        quantile_optimizer: OptimizerFactory | None,
        schedule: Schedule,
        regularizer: Regularizer | None = None,
        source_optimizer: OptimizerFactory | None = None,
        alternation: Alternation | None = None,
        clip_norm: float | None = 1.0,
        micro_batches: int = 1,
        ema_decay: float | None = 0.999,
        solve_every: int = 100,
        seed: int = 0,
        max_skipped: int = 10,
        val_qualities: Sequence[float] = (0, 25, 50, 75, 100),
        lr_scales: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(max_skipped)
        self.alternation = alternation or Alternation()
        if regularizer and source_optimizer is None:
            raise TrainingError(
                "A regularizer needs an optimizer for its source model: set source_optimizer."
            )
        if micro_batches < 1:
            raise TrainingError(f"A batch is cut into 1 part or more, not micro_batches={micro_batches}.")
        if self.alternation.source_first and micro_batches > 1:
            raise TrainingError(
                "source_first needs the whole batch's reconstruction before the codec learns: set "
                "micro_batches=1, or source_first=false."
            )
        self.model = as_codec(model)
        self.model.train()  # Lightning leaves it in the mode that it is in
        entropy_in_float32(self.model)
        self.noise = SampleNoise(self.model, seed)
        self.ema = None if ema_decay is None else WeightAverage(self.model, ema_decay)
        self.regularizer = regularizer or None  # no source model is {} in a configuration
        self.is_set_up = False
        """Whether a callback has given the model the weights it starts with."""
        self.loss = loss
        self.codec_optimizer = codec_optimizer
        self.quantile_optimizer = quantile_optimizer
        self.source_optimizer = source_optimizer
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.micro_batches = micro_batches
        self.solve_every = solve_every
        self.seed = seed
        self.val_qualities = tuple(val_qualities)
        self.lr_scales = dict(lr_scales or {})
        self._logged: tuple[str, ...] = ("loss",)

    @contextmanager
    def finished_model(self) -> Iterator[Codec]:
        """The codec as it would be shipped: the averaged weights, the quantiles solved if none trains them.

        Theta is no part of it. Afterwards everything is as before, to the last bit.
        """
        model = self.model if self.ema is None else self.ema.model
        with nullcontext() if self.quantile_optimizer else quantiles_solved(model):
            yield model

    def restart_average(self) -> None:
        """Let the average begin at the model's present weights."""
        if self.ema is not None:
            self.ema.model.load_state_dict(self.model.state_dict())

    def learners(self) -> dict[str, Learner]:
        """Codec, quantiles unless they are solved, and theta if there is any."""
        source = None if self.regularizer is None else self.regularizer.model
        groups = parameter_groups(self.model, source)
        found = {
            "codec": Learner(
                groups.codec, self.codec_optimizer, self.schedule, self.clip_norm, self.lr_scales
            )
        }
        if self.quantile_optimizer is not None:
            found["quantiles"] = Learner(groups.quantiles, self.quantile_optimizer, _constant, None)
        if self.source_optimizer is not None and groups.theta:
            schedule = self.alternation.schedule or self.schedule
            found["theta"] = Learner(
                groups.theta, self.source_optimizer, schedule, self.alternation.clip_norm
            )
        return found

    def training_step(self, batch: Batch | Tensor, batch_idx: int) -> None:
        """Train on one batch of crops, (B, 3, H, W) in [0, 1]."""
        x, names, *_ = batch if isinstance(batch, Batch) else Batch(batch, ())
        self.begin_step(names)
        torch.manual_seed(step_seed(self.seed, self.step))  # for a model that draws other numbers as well
        step = CodecStep(self, x)
        learned = step.run()
        if learned and self.ema is not None:
            self.ema.update(self.model, self.step)
        self.end_step()
        allocator.give_back_beyond(KEPT_BETWEEN_STEPS)
        self._log_step(step.figures if learned else None, len(x))

    def _log_step(self, figures: StepFigures | None, batch_size: int) -> None:
        """Log the figures of a step; of one that was skipped they are NaN."""
        values = dict.fromkeys(self._logged, math.nan) if figures is None else figures.finished(self.loss)
        self._logged = tuple(values)
        for name, value in values.items():
            self.log(f"train/{name}", value, prog_bar=name in ("bpp", "psnr"), batch_size=batch_size)
        for name, turn in self.turns.items():
            self.log(f"grad_norm/{name}", turn.norm)
            self.log(f"lr/{name}", turn.optimizer.param_groups[0]["lr"])

    def validation_step(self, batch: Batch | Tensor, batch_idx: int) -> dict[str, Any] | None:
        """Measure the finished model, in float32, on one whole image, (1, 3, H, W) of any size.

        Figures that are not finite are left out of the means, and the image is named.
        """
        x, names, *_ = batch if isinstance(batch, Batch) else Batch(batch, ())
        with self.finished_model() as model, torch.autocast(self.device.type, enabled=False):
            for quality in (None,) if model.rates is None else self.val_qualities:
                at = "" if quality is None else f"@{quality:g}"
                try:
                    figures, x_hat = measure_picture(model, x, self.loss, self.regularizer, quality)
                except NonFiniteMap as error:
                    log.warning("not validated%s: %s (%s)", at, ", ".join(names) or batch_idx, error)
                    return None
                self._log_picture(figures, at, len(x), ", ".join(names) or str(batch_idx))
        return {"x_hat": x_hat}

    def _log_picture(self, figures: dict[str, Tensor], at: str, count: int, image: str) -> None:
        for name, value in figures.items():
            if not value.isfinite():
                log.warning("val/%s%s of %s is %g, and left out of the mean", name, at, image, value)
                continue
            shown = name in ("bpp", "psnr")
            self.log(f"val/{name}{at}", value, prog_bar=shown, batch_size=count, sync_dist=True)


def _constant(step: int) -> float:
    """The quantiles' learning rate stays."""
    return 1.0
