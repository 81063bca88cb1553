"""One run of the study, through the project's own LightningModule."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import lightning
import torch
from compressai.layers import GDN
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.training_step import silent_fit
from glic_pyg.files import atomic_write
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.module import CodecModule
from glic_pyg.training.quantiles import solve_quantiles
from glic_pyg.training.schedules import WarmupHoldDecay
from studies.images import TrainingImages
from studies.regularizer.plan import Run, Study

__all__ = ["build_module", "linear_start", "load_weights", "save_weights", "train"]


START_BATCHES = 16
METRICS = ("bpp", "psnr", "H_theta", "r", "cosine")


class LastHalf(lightning.Callback):
    """Averages what the module logs over the second half of the run, after the ramp of α."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = defaultdict(list)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Collect the metrics of this step."""
        if 2 * trainer.global_step > trainer.max_steps:
            for name in METRICS:
                if f"train/{name}" in trainer.callback_metrics:
                    self.values[name].append(float(trainer.callback_metrics[f"train/{name}"]))

    def means(self) -> dict[str, float]:
        """By name."""
        return {name: fmean(values) for name, values in self.values.items()}


def build_module(run: Run, study: Study) -> CodecModule:
    """The LightningModule of a run before the first step.

    Bases train at a constant learning rate; branches let it decay. q_θ is trained in the bases already (α = 0
    leaves the training of the codec unchanged, bit for bit), so every branch starts with a trained one;
    controls have none. The ramp is the recommended one, 5 % of the run.
    """
    codec = study.codecs[run.codec]
    torch.manual_seed(run.seed)
    base = run.kind == "base"
    regularizer = None
    if run.kind != "control":
        alpha = run.alpha if run.kind == "regularized" else 0.0
        regularizer = Regularizer(instantiate(codec["source"]), alpha, ramp=run.steps // 20, seed=run.seed)
    adam = partial(torch.optim.Adam, lr=codec["lr"])
    return CodecModule(
        model=instantiate(codec["model"]),
        loss=RateDistortionLoss(run.trained_lmbda),
        codec_optimizer=adam,
        quantile_optimizer=None,
        schedule=WarmupHoldDecay(run.steps, run.steps // 10, hold=1.0 if base else 0.4, final=0.02),
        regularizer=regularizer,
        source_optimizer=partial(torch.optim.Adam, lr=codec["source_lr"]) if regularizer else None,
        ema_decay=None,
        solve_every=run.steps,
        seed=run.draws,
    )


def train(
    run: Run, study: Study, images: TrainingImages, parent: Path | None
) -> tuple[CodecModule, dict[str, float]]:
    """Train a run from its parent's weights, or from scratch.

    Args:
        run: what to train.
        study: the settings.
        images: to train on.
        parent: weights of the run's parent, see :func:`save_weights`.

    Returns:
        The trained module, its quantiles solved, and what it logged (:class:`LastHalf`).
    """
    module = build_module(run, study)
    crops = images.crops(run.draws, run.steps)
    if parent is not None:
        load_weights(module, parent)
    else:
        x = torch.cat([crops[step].x for step in range(START_BATCHES)])
        instantiate(study.codecs[run.codec]["start"])(module.model, x, lmbda=run.trained_lmbda)
    last_half = LastHalf()
    silent_fit(module, crops, run.steps, callbacks=[last_half])
    solve_quantiles(module.model)
    return module, last_half.means()


def save_weights(module: CodecModule, path: Path) -> None:
    """Save codec and q_θ; a crash leaves no incomplete file."""
    with atomic_write(path) as place:
        torch.save({name: part.state_dict() for name, part in _parts(module).items()}, place)


def load_weights(module: CodecModule, path: Path) -> None:
    """Load what :func:`save_weights` saved; q_θ is ignored if the module has none."""
    states = torch.load(path, weights_only=True)
    for name, part in _parts(module).items():
        part.load_state_dict(states[name])


def _parts(module: CodecModule) -> dict[str, nn.Module]:
    parts: dict[str, nn.Module] = {"codec": module.model}
    return parts if module.regularizer is None else {**parts, "source": module.regularizer.model}


CURVATURE = 0.01
"""Gamma of every GDN and inverse GDN: almost the identity, yet trainable."""
NOISE = 0.03
"""Share of the random initial weights that is kept, so that unused channels can learn."""
LEAST_SCALE = 0.11


@torch.no_grad()
def linear_start(model: Hyperprior, x: Tensor, lmbda: float) -> None:
    r"""Initialise a convolutional hyperprior as a linear transform codec, so that few steps suffice.

    The counterpart of :func:`glic_pyg.models.init.klt_init` for the transforms of CompressAI. Each strided
    convolution becomes the Karhunen-Loève transform of its 2x2 blocks, each transposed one the inverse. The
    gain of the last convolution makes the unit quantizer one of step

    .. math:: \Delta^2 = 18 / (\ln 2 \cdot \lambda \cdot 255^2),

    the optimum of a uniform quantizer at high rate.

    Args:
        model: untrained.
        x: ``(B, 3, H, W)`` in [0, 1], H and W multiples of 16.
        lmbda: of the training to come.
    """
    gain = math.sqrt(math.log(2) * lmbda * 255**2 / 18)
    analysis, synthesis = cast(nn.Sequential, model.g_a), cast(nn.Sequential, model.g_s)
    downs = [layer for layer in analysis if isinstance(layer, nn.Conv2d)]
    ups = [layer for layer in synthesis if isinstance(layer, nn.ConvTranspose2d)]
    for layer in [*analysis, *synthesis]:
        if isinstance(layer, GDN):
            layer.gamma.copy_(layer.gamma_reparam.init(CURVATURE * torch.eye(len(layer.gamma))))
    mean = x.mean((0, 2, 3))
    latents = x - mean[:, None, None]
    for down, up in zip(downs, reversed(ups), strict=True):
        latents = _set_axes(down, up, latents)
    _bias(downs[0]).copy_(-downs[0].weight.sum((2, 3)) @ mean)
    _bias(ups[-1]).copy_(mean)
    downs[-1].weight.mul_(gain)
    ups[0].weight.div_(gain)
    h_s = cast(nn.Sequential, model.latent_codec.latent_codec["hyper"].h_s)
    _bias(h_s[-2]).copy_((gain * latents.std((0, 2, 3))).clamp_min(LEAST_SCALE))


def _set_axes(down: nn.Conv2d, up: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """Set a pair of 5x5 kernels to the principal axes of the 2x2 blocks of x; returns the next map.

    With padding 2 and stride 2, taps 2 and 3 of a kernel cover the two pixels of a block.
    """
    blocks = F.pixel_unshuffle(x, 2).movedim(1, -1).flatten(0, 2)
    axes = torch.linalg.eigh((blocks.T @ blocks / len(blocks)).double()).eigenvectors.flip(1).T.to(x)
    kept = min(down.out_channels, len(axes))
    for layer in (down, up):
        layer.weight.mul_(NOISE)
        _bias(layer).zero_()
    kernels = axes[:kept].view(kept, -1, 2, 2)
    down.weight[:kept, :, 2:4, 2:4] = kernels
    up.weight[:kept, :, 2:4, 2:4] = kernels
    return F.conv2d(x, down.weight, None, down.stride, down.padding)


def _bias(layer: nn.Module) -> Tensor:
    return cast(Tensor, layer.bias)
