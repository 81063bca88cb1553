"""The LightningModule that trains a codec, and with it the source model of the regularizer."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from glic_pyg import runtime
from glic_pyg.errors import TrainingError
from glic_pyg.graph.similarity import NonFiniteMap
from glic_pyg.models.base import Codec, as_codec
from glic_pyg.regularizer.regularizer import Regularizer, critical_alpha, entropy_bound
from glic_pyg.training.alternation import Alternation
from glic_pyg.training.crops import Batch
from glic_pyg.training.losses import RateDistortionLoss, squared_error
from glic_pyg.training.manual_optimization import (
    ManualOptimization,
    OptimizerFactory,
    OptimizerSpec,
    Schedule,
)
from glic_pyg.training.noise import SampleNoise, derive_seed, entropy_in_float32, sample_qualities
from glic_pyg.training.optimizers import WeightAverage, freeze_all_but, parameter_groups
from glic_pyg.training.quantiles import quantiles_solved, solve_quantiles
from glic_pyg.training.validation import measure_image

__all__ = ["CodecModule", "MicroBatch", "StepMetrics"]

log = logging.getLogger(__name__)

KEPT_BETWEEN_STEPS = 2 * 2**30
"""Bytes of freed memory that are kept for the next step on a CPU."""


@dataclass
class MicroBatch:
    """What goes through the codec at once.

    Attributes:
        x: crops, ``(b, 3, H, W)``.
        weight: its share of this process's batch.
        sample_ids: of the samples in the whole batch, over all processes.
        quality: at which to code each of them, ``(b,)``; None for a model of one rate.
        x_hat: their reconstruction, detached, once the codec has made it.
    """

    x: Tensor
    weight: float
    sample_ids: Sequence[int]
    quality: Tensor | None = None
    x_hat: Tensor | None = None


class CodecModule(ManualOptimization):
    r"""Up to three optimizers, one batch, one step: for the codec, its quantiles, and the source model.

    The codec minimises :math:`R + \lambda D + w L_\mathrm{ortho} - \alpha H_\theta`, the quantiles their
    auxiliary loss, the source model :math:`H_\theta` on the codec's detached reconstructions
    (:class:`Alternation` has the order). With α = 0 the codec's weights are those of plain training, to the
    last bit.

    The noise of a sample depends on (seed, step, its place in the batch over all processes) alone: a resumed
    run repeats the uninterrupted one to the last bit, and several processes do what one would do with the
    same batch, up to the order of summation (:class:`SampleNoise`).

    Gradients are accumulated inside a step: the batch is cut into ``micro_batches`` that go through one
    after the other. Thus a batch is a step, and a recipe is the same with any amount of memory.

    Args:
        model: a :class:`~glic_pyg.models.base.Codec`, or one of CompressAI's models.
        loss: rate, distortion and orthogonality.
        codec_optimizer: makes the optimizer from the codec's parameters.
        quantile_optimizer: makes the optimizer from the quantiles; None solves for them instead, every
            ``solve_every`` steps and for each validation and export.
        schedule: factor on the codec's learning rate as a function of the step.
        regularizer: owner of q_theta and of α; None is plain training.
        source_optimizer: makes the optimizer from theta; needed with a regularizer.
        alternation: how updates of codec and theta alternate.
        clip_norm: largest 2-norm of the codec's gradient; None does not clip.
        micro_batches: number of parts that a batch is cut into.
        ema_decay: see :class:`WeightAverage`; the average is what is validated and exported. None keeps no
            average and no second copy of the weights.
        solve_every: steps between two solutions of the quantiles.
        seed: seed of the noise.
        max_skipped: a step whose loss or gradient is not finite is skipped; after this many in a row the
            run ends.
        val_qualities: at which a variable-rate model is validated.
        lr_scales: factors on the codec's learning rate by patterns of parameter names, e.g.
            ``{"*.side.*": 0.1}`` for the Haar branches.
        learns: the parts of the model that learn, e.g. ``["latent_codec"]`` for the entropy model alone;
            None lets all of it learn.
        quantile_schedule: factor on the quantiles' learning rate as a function of the step; None keeps it.

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
        quantile_schedule: Schedule | None = None,
        learns: Sequence[str] | None = None,
    ) -> None:
        super().__init__(max_skipped)
        self.alternation = alternation or Alternation()
        if regularizer and source_optimizer is None:
            raise TrainingError(
                "A regularizer needs an optimizer for its source model: set source_optimizer."
            )
        if micro_batches < 1:
            raise TrainingError(f"A batch is cut into 1 part or more, not micro_batches={micro_batches}.")
        for name, value in (("solve_every", solve_every), ("max_skipped", max_skipped)):
            if value < 1:
                raise TrainingError(f"{name} must be at least 1, not {value}.")
        if clip_norm is not None and clip_norm <= 0:
            raise TrainingError(f"clip_norm must be above 0, or null for none, not {clip_norm}.")
        if not val_qualities or not all(0 <= quality <= 100 for quality in val_qualities):
            raise TrainingError(f"val_qualities must be numbers from 0 to 100, not {[*val_qualities]}.")
        if self.alternation.source_first and micro_batches > 1:
            raise TrainingError(
                "source_first needs the whole batch's reconstruction before the codec learns: set "
                "micro_batches=1, or source_first=false."
            )
        self.model = as_codec(model)
        if learns is not None:
            freeze_all_but(self.model, learns)
        if loss.rate_only and (regularizer or list(learns or ()) != ["latent_codec"]):
            raise TrainingError(
                "loss=rate_only is for an entropy model that learns alone, without a regularizer: any other "
                "part would forget the image. Set module.learns=[latent_codec]."
            )
        self.model.train()  # Lightning leaves it in the mode that it is in
        entropy_in_float32(self.model)
        self.noise = SampleNoise(self.model, seed)
        self.ema = None if ema_decay is None else WeightAverage(self.model, ema_decay)
        self.regularizer = regularizer or None  # no source model is {} in a configuration
        self.is_initialized = False
        """Whether a callback has given the model its initial weights."""
        self.loss = loss
        self.codec_optimizer = codec_optimizer
        self.quantile_optimizer = quantile_optimizer
        self.source_optimizer = source_optimizer
        self.schedule = schedule
        self.quantile_schedule = quantile_schedule or _constant
        self.clip_norm = clip_norm
        self.micro_batches = micro_batches
        self.solve_every = solve_every
        self.seed = seed
        self.val_qualities = tuple(val_qualities)
        self.lr_scales = dict(lr_scales or {})
        self._logged: tuple[str, ...] = ("loss",)

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """Codec, quantiles unless they are solved, and theta if there is any."""
        source = None if self.regularizer is None else self.regularizer.model
        groups = parameter_groups(self.model, source)
        specs = {
            "codec": OptimizerSpec(
                groups.codec, self.codec_optimizer, self.schedule, self.clip_norm, self.lr_scales
            )
        }
        if self.quantile_optimizer is not None and groups.quantiles:
            specs["quantiles"] = OptimizerSpec(
                groups.quantiles, self.quantile_optimizer, self.quantile_schedule, None
            )
        if self.source_optimizer is not None and groups.theta:
            schedule = self.alternation.schedule or self.schedule
            specs["theta"] = OptimizerSpec(
                groups.theta, self.source_optimizer, schedule, self.alternation.clip_norm
            )
        return specs

    def training_step(self, batch: Batch | Tensor, batch_idx: int) -> None:
        """Train on one batch of crops, ``(B, 3, H, W)`` in [0, 1].

        Raises:
            TrainingError: crops of this size do not fit the models.
        """
        x, names, *_ = batch if isinstance(batch, Batch) else Batch(batch, ())
        self._check_size(x)
        self.begin_step(names)
        torch.manual_seed(derive_seed(self.seed, self.step))  # for a model that draws other numbers as well
        metrics, micro_batches = StepMetrics(), self._split(x)
        learned = self.update("codec", micro_batches, partial(self._codec_loss, metrics))
        if learned:  # otherwise nobody else learns from the batch either
            self._update_quantiles(metrics)
            if not self.alternation.source_first:
                self._update_source(metrics, micro_batches)
            if self.ema is not None:
                self.ema.update_parameters(self.model)
        self.end_step()
        runtime.give_back_beyond(KEPT_BETWEEN_STEPS)
        self._log_step(metrics if learned else None, len(x))

    def _codec_loss(self, metrics: StepMetrics, micro_batch: MicroBatch) -> Tensor:
        """The codec's objective on a micro-batch, times the weight of that."""
        x, quality = micro_batch.x, micro_batch.quality
        run = self.model.latents if self.loss.rate_only else self.model
        with self.noise.of(self.step, micro_batch.sample_ids, x.device):
            out = run(x) if quality is None else run(x, quality)
        x_hat: Tensor | None = out.get("x_hat")
        micro_batch.x_hat = None if x_hat is None else x_hat.detach()
        if self.alternation.source_first:
            self._update_source(metrics, [micro_batch])
        with torch.autocast(x.device.type, enabled=False):
            rates = self.model.rates
            lmbdas = None if rates is None or quality is None else rates.lmbda(quality)
            terms = self.loss(x, x_hat, out["likelihoods"], self.model.ortho_loss(), lmbdas)
        metrics.add(micro_batch.weight, loss=terms.loss, bpp=terms.bpp, mse=terms.mse, ortho=terms.ortho)
        loss = terms.loss
        if self.regularizer is not None and x_hat is not None:
            term = self.regularizer.codec_term(x, x_hat, self.step)
            weight = micro_batch.weight
            metrics.add(weight, loss=term.loss, loss_plain=terms.loss, alpha=term.alpha, cosine=term.cosine)
            loss = loss + term.loss
        likelihoods = {f"the likelihood of {name}": p for name, p in out["likelihoods"].items()}
        hats = {} if x_hat is None else {"x_hat": x_hat}
        results = {**hats, "the orthogonality loss": terms.ortho, "the loss": loss}
        self.track("codec", {"the batch": x, **likelihoods, **results})
        return micro_batch.weight * loss

    def _update_quantiles(self, metrics: StepMetrics) -> None:
        """A step on the auxiliary loss or, if no optimizer has the quantiles, their solution now and then."""
        if "quantiles" in self.specs:
            with torch.autocast(self.device.type, enabled=False):
                aux_loss = self.model.aux_loss()
            self.update_on_weights("quantiles", aux_loss)
            metrics.add(1.0, aux=aux_loss)
        elif (self.step + 1) % self.solve_every == 0:
            solve_quantiles(self.model)

    def _update_source(self, metrics: StepMetrics, micro_batches: Sequence[MicroBatch]) -> None:
        """Updates of theta on reconstructions that the codec has just made; the first one is logged."""
        if "theta" in self.specs and self.alternation.source_learns(self.step):
            for number in range(self.alternation.source_steps):
                own = metrics if number == 0 else StepMetrics()
                self.update("theta", micro_batches, partial(self._source_loss, own))

    def _source_loss(self, metrics: StepMetrics, micro_batch: MicroBatch) -> Tensor:
        """H_theta on a micro-batch, times the weight of that."""
        assert self.regularizer is not None and micro_batch.x_hat is not None
        entropy = self.regularizer.source_loss(micro_batch.x, micro_batch.x_hat)
        metrics.add(micro_batch.weight, H_theta=entropy)
        self.track("theta", {"x_hat": micro_batch.x_hat, "H_theta": entropy})
        return micro_batch.weight * entropy

    def _split(self, x: Tensor) -> list[MicroBatch]:
        """The micro-batches. Process r of n has the samples r, r + n, ... of the whole batch."""
        rank, processes = self.global_rank, self.trainer.world_size
        sample_ids = range(rank, rank + len(x) * processes, processes)
        size = -(-len(x) // self.micro_batches)
        parts = [
            MicroBatch(part, len(part) / len(x), sample_ids[number * size : (number + 1) * size])
            for number, part in enumerate(x.split(size))
        ]
        if self.model.rates is not None:
            for part in parts:
                drawn = sample_qualities(self.seed, self.step, part.sample_ids, len(x) * processes)
                part.quality = drawn.to(x.device)
        return parts

    def _check_size(self, x: Tensor) -> None:
        height, width = x.shape[-2:]
        for model in (self.model, self.regularizer):
            if model is not None and (height % model.multiple or width % model.multiple):
                raise TrainingError(
                    f"Crops of {width}x{height} do not fit {type(model).__name__}, which takes "
                    f"multiples of {model.multiple} pixels: choose another data.crop."
                )

    def _log_step(self, metrics: StepMetrics | None, batch_size: int) -> None:
        """Log the metrics of a step; of one that was skipped they are NaN."""
        values = dict.fromkeys(self._logged, math.nan) if metrics is None else metrics.finished(self.loss)
        self._logged = tuple(values)
        for name, value in values.items():
            self.log(f"train/{name}", value, prog_bar=name in ("bpp", "psnr"), batch_size=batch_size)
        for name, optimizer in self.named_optimizers.items():
            self.log(f"grad_norm/{name}", self.grad_norms[name])
            self.log(f"lr/{name}", optimizer.param_groups[0]["lr"])

    def validation_step(self, batch: Batch | Tensor, batch_idx: int) -> dict[str, Any] | None:
        """Measure the finished model, in float32, on one whole image, ``(1, 3, H, W)`` of any size.

        Metrics that are not finite are left out of the means, and the image is named.
        """
        x, names, *_ = batch if isinstance(batch, Batch) else Batch(batch, ())
        image = ", ".join(names) or str(batch_idx)
        with self.finished_model() as model, torch.autocast(self.device.type, enabled=False):
            for quality in (None,) if model.rates is None else self.val_qualities:
                at = "" if quality is None else f"@{quality:g}"
                try:
                    metrics, x_hat = measure_image(model, x, self.loss, self.regularizer, quality)
                except NonFiniteMap as error:
                    log.warning("not validated%s: %s (%s)", at, image, error)
                    return None
                self._log_image(metrics, at, len(x), image)
        return {"x_hat": x_hat}

    def _log_image(self, metrics: dict[str, Tensor], at: str, count: int, image: str) -> None:
        for name, value in metrics.items():
            if not value.isfinite():
                log.warning("val/%s%s of %s is %g, and left out of the mean", name, at, image, value)
                continue
            shown = name in ("bpp", "psnr")
            self.log(f"val/{name}{at}", value, prog_bar=shown, batch_size=count, sync_dist=True)

    @contextmanager
    def finished_model(self) -> Iterator[Codec]:
        """The codec as it would be shipped: the averaged weights, the quantiles solved if none trains them.

        Theta is no part of it. Afterwards everything is as before, to the last bit.
        """
        model = self.model if self.ema is None else cast(Codec, self.ema.module)
        with nullcontext() if self.quantile_optimizer else quantiles_solved(model):
            yield model

    def restart_average(self) -> None:
        """Let the average begin at the model's present weights."""
        if self.ema is not None:
            self.ema.restart(self.model)


class StepMetrics:
    """Means over the micro-batches of a step, by name."""

    def __init__(self) -> None:
        self.means: dict[str, Tensor | float] = {}

    def add(self, weight: float, **values: Tensor | float | None) -> None:
        """Count a micro-batch in the means, ``weight`` of the batch; what is None was not computed."""
        for name, value in values.items():
            if value is None:
                continue
            detached = value.detach() if isinstance(value, Tensor) else value
            self.means[name] = self.means.get(name, 0.0) + weight * detached

    def finished(self, loss: RateDistortionLoss) -> dict[str, Tensor | float]:
        """The metrics of the step.

        PSNR in dB is of the mean error of the crops, neither clamped nor rounded; where nothing was
        reconstructed there is none. With a regularizer,
        ``loss_plain`` is the loss without its term, which runs of different α have in common, ``H_bound`` is
        :func:`~glic_pyg.regularizer.regularizer.entropy_bound`, below which ``H_theta`` has to come, and
        ``r`` is α over :func:`~glic_pyg.regularizer.regularizer.critical_alpha`, which is defined for the
        squared error.
        """
        metrics = dict(self.means)
        mse = metrics.pop("mse", None)
        if not isinstance(mse, Tensor):
            return metrics
        metrics["psnr"] = -10 * mse.log10()
        if "H_theta" in metrics:
            metrics["H_bound"] = entropy_bound(mse)
        if "alpha" in metrics and loss.distortion is squared_error:
            metrics["r"] = metrics["alpha"] / (critical_alpha(loss.lmbda, 1.0) * mse)
        return metrics


def _constant(step: int) -> float:
    """The quantiles' learning rate stays."""
    return 1.0
