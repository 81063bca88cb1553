"""The LightningModule that trains a codec."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from glic_pyg.training.contract import TrainableCodec
from glic_pyg.training.ema import WeightAverage
from glic_pyg.training.loss import RateDistortion, RateDistortionLoss, estimated_bpp
from glic_pyg.training.padding import pad_to_multiple
from glic_pyg.training.parameter_groups import split_parameters
from glic_pyg.training.step_seed import step_seed

log = logging.getLogger(__name__)

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


class CodecModule(lightning.LightningModule):
    """Two optimizers, one batch, one step.

    The codec's optimizer follows the rate-distortion loss, the quantiles' optimizer the auxiliary loss
    of the entropy bottleneck. Optimization is manual. Lightning counts each call of a wrapped
    optimizer's ``step`` in ``trainer.global_step``; only the codec's optimizer is called through that
    wrapper, so that ``global_step`` is the number of batches. Noise in training is seeded by
    (seed, step, rank): a resumed run repeats the uninterrupted one to the last bit.

    Args:
        model: see :class:`TrainableCodec`.
        loss: the objective.
        codec_optimizer: makes the optimizer from the codec's parameters.
        quantile_optimizer: makes the optimizer from the quantiles.
        schedule: factor on the codec's learning rate as a function of the step.
        psnr: (x_hat, x) in [0, 1], (B, 3, H, W) → PSNR in dB of each image, (B,); for validation.
        clip_norm: largest 2-norm of the codec's gradient.
        ema_decay: see :class:`WeightAverage`; the average is what is validated and exported.
        seed: seed of the noise.
        max_skipped: steps with a gradient that is not finite are skipped; after this many in a row
            the run ends.
    """

    def __init__(
        self,
        model: TrainableCodec,
        loss: RateDistortionLoss,
        codec_optimizer: OptimizerFactory,
        quantile_optimizer: OptimizerFactory,
        schedule: Callable[[int], float],
        psnr: Callable[[Tensor, Tensor], Tensor],
        clip_norm: float = 1.0,
        ema_decay: float = 0.999,
        seed: int = 0,
        max_skipped: int = 10,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.ema = WeightAverage(cast(nn.Module, model), ema_decay)
        self.loss = loss
        self.codec_optimizer = codec_optimizer
        self.quantile_optimizer = quantile_optimizer
        self.schedule = schedule
        self.psnr = psnr
        self.clip_norm = clip_norm
        self.seed = seed
        self.max_skipped = max_skipped
        self.skipped_in_a_row = 0

    @property
    def averaged_model(self) -> TrainableCodec:
        """The codec with averaged weights, in eval mode."""
        return cast(TrainableCodec, self.ema.model)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        """One optimizer for the codec, one for the quantiles; a schedule for the first."""
        codec_parameters, quantiles = split_parameters(cast(nn.Module, self.model))
        codec = self.codec_optimizer(codec_parameters)
        return [codec, self.quantile_optimizer(quantiles)], [LambdaLR(codec, self.schedule)]

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        """Train on one batch of crops, (B, 3, H, W) in [0, 1]."""
        step = self.global_step
        torch.manual_seed(step_seed(self.seed, step, self.global_rank))
        out = self.model(batch)
        terms = self.loss(batch, out["x_hat"], out["likelihoods"], self.model.ortho_loss())
        grad_norm = self._step_codec(terms.loss)
        self._step_quantiles()
        self.ema.update(cast(nn.Module, self.model), step)
        self._log_training(terms, grad_norm, len(batch))

    def _step_codec(self, loss: Tensor) -> Tensor:
        """One clipped step of the codec; returns the gradient's norm before clipping."""
        optimizer = cast(list[Any], self.optimizers())[0]
        optimizer.zero_grad()
        self.manual_backward(loss)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.clip_norm)
        if not torch.isfinite(norm):
            self._skip(loss)
            optimizer.zero_grad()  # without gradients the step below moves nothing but is counted
        else:
            self.skipped_in_a_row = 0
        optimizer.step()
        cast(LambdaLR, self.lr_schedulers()).step()
        return norm

    def _skip(self, loss: Tensor) -> None:
        self.skipped_in_a_row += 1
        log.warning("step %d skipped: the gradient is not finite (loss %s)", self.global_step, loss.item())
        if self.skipped_in_a_row >= self.max_skipped:
            raise FloatingPointError(
                f"The gradient was not finite in {self.skipped_in_a_row} steps in a row (step "
                f"{self.global_step}); lower the learning rate or train in float32."
            )

    def _step_quantiles(self) -> None:
        """One step of the quantiles, past Lightning's wrapper, which would count it as a step more."""
        optimizer = cast(list[Any], self.optimizers())[1].optimizer
        optimizer.zero_grad()
        with torch.autocast(self.device.type, enabled=False):
            aux_loss = self.model.aux_loss()
        aux_loss.backward()
        optimizer.step()
        self.log("train/aux", aux_loss.detach())

    def _log_training(self, terms: RateDistortion, grad_norm: Tensor, batch_size: int) -> None:
        values = {
            "train/loss": terms.loss,
            "train/bpp": terms.bpp,
            "train/psnr": -10 * terms.mse.log10(),
            "train/ortho": terms.ortho,
            "train/grad_norm": grad_norm,
        }
        shown = ("train/bpp", "train/psnr")
        for name, value in values.items():
            self.log(name, value.detach(), prog_bar=name in shown, batch_size=batch_size)
        self.log("train/lr", cast(LambdaLR, self.lr_schedulers()).get_last_lr()[0])

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Measure the averaged weights on one whole image, (1, 3, H, W) of any size."""
        height, width = batch.shape[-2:]
        out = self.averaged_model(pad_to_multiple(batch, self.averaged_model.multiple))
        x_hat = out["x_hat"][..., :height, :width].float().clamp(0, 1)
        bpp = estimated_bpp(out["likelihoods"], len(batch) * height * width)
        psnr = self.psnr(x_hat, batch).mean()
        loss = bpp + self.loss.lmbda * 255**2 * nn.functional.mse_loss(x_hat, batch)
        for name, value in {"val/bpp": bpp, "val/psnr": psnr, "val/loss": loss}.items():
            self.log(name, value, prog_bar=name != "val/loss", batch_size=len(batch), sync_dist=True)
