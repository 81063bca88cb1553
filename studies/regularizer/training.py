"""One run of the study, through the project's own LightningModule."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
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
from glic_pyg.codec.weights_store import load_shipped
from glic_pyg.files import atomic_write
from glic_pyg.models.base import Codec
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.regularizer.regularizer import Regularizer, entropy_bound
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.module import CodecModule
from glic_pyg.training.noise import derive_seed, sample_qualities
from glic_pyg.training.quantiles import solve_quantiles
from glic_pyg.training.schedules import WarmupHoldDecay
from studies.images import Crops, TrainingImages
from studies.regularizer.plan import Run, Study

__all__ = ["build_module", "linear_start", "load_weights", "save_weights", "train", "train_source"]


START_BATCHES = 16
METRICS = ("bpp", "psnr", "loss_plain", "H_theta", "H_bound", "r", "cosine")


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

    Bases train at a constant learning rate; branches let it decay. Every branch but the controls has the
    q_θ of its source run, and trains it on (α = 0 leaves the training of the codec unchanged, bit for bit).
    The ramp of α is 5 % of the run.
    """
    codec = study.codecs[run.codec]
    torch.manual_seed(run.seed)
    regularizer = None
    if run.kind not in ("base", "control"):
        alpha = run.alpha if run.kind == "regularized" else 0.0
        regularizer = Regularizer(instantiate(codec["source"]), alpha, ramp=run.steps // 20, seed=0)
    adam = partial(torch.optim.Adam, lr=codec["lr"])
    hold = 1.0 if run.kind == "base" else 0.4
    return CodecModule(
        model=_codec(run, codec),
        loss=RateDistortionLoss(run.trained_lmbda, balance=codec.get("balance", 0.0)),
        codec_optimizer=adam,
        quantile_optimizer=None,
        schedule=WarmupHoldDecay(run.steps, run.steps // 20, hold=hold, final=0.02),
        regularizer=regularizer,
        source_optimizer=partial(torch.optim.Adam, lr=codec["source_lr"]) if regularizer else None,
        ema_decay=None,
        solve_every=run.steps,
        seed=run.draws,
    )


def _codec(run: Run, settings: Mapping[str, Any]) -> Codec:
    """A new codec, or the shipped one; the λ of all its rates move with that of the run."""
    shipped = settings.get("start_from")
    model: Codec = load_shipped(shipped).model if shipped else instantiate(settings["model"])
    if model.rates is not None:
        factor = run.trained_lmbda / run.lmbda
        model.rates.levels = tuple(factor * level for level in model.rates.levels)
    return model


def train(
    run: Run, study: Study, images: TrainingImages, parent: Path | None
) -> tuple[CodecModule, dict[str, float]]:
    """Train a run from its parent's weights, or from what its codec begins with.

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
    settings = study.codecs[run.codec]
    if parent is not None:
        load_weights(module, parent)
    elif run.kind == "base":
        x = torch.cat([crops[step].x for step in range(min(START_BATCHES, len(crops)))])
        instantiate(settings["start"])(module.model, x, lmbda=run.trained_lmbda)
    if run.kind == "source":
        return module, train_source(module, crops, settings["source_lr"])
    last_half = LastHalf()
    silent_fit(module, crops, run.steps, callbacks=[last_half])
    solve_quantiles(module.model)
    return module, last_half.means()


def train_source(module: CodecModule, crops: Crops, rate: float) -> dict[str, float]:
    """Train q_θ on the reconstructions of a codec that stands still, its latents with noise as in training.

    Args:
        module: changed in place, but for its codec.
        crops: a batch a step.
        rate: Adam's learning rate at the start; it falls to a tenth along half a cosine.

    Returns:
        ``H_theta`` and its bound, ``H_bound``, in bits per pixel, means over the last tenth of the steps.
    """
    regularizer, model = module.regularizer, module.model.train()
    assert regularizer is not None
    optimizer = torch.optim.Adam(regularizer.model.parameters(), lr=rate)
    steps, values = len(crops), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (0.55 + 0.45 * math.cos(math.pi * step / steps))
        x = crops[step].x
        torch.manual_seed(derive_seed(module.seed, step))
        with torch.no_grad():
            drawn = (
                () if model.rates is None else (sample_qualities(module.seed, step, range(len(x)), len(x)),)
            )
            x_hat = model(x, *drawn)["x_hat"]
        entropy = regularizer.source_loss(x, x_hat)
        optimizer.zero_grad()
        entropy.backward()
        nn.utils.clip_grad_norm_(regularizer.model.parameters(), 1.0)
        optimizer.step()
        if step >= steps - max(1, steps // 10):
            values.append((entropy.item(), entropy_bound(F.mse_loss(x_hat, x).item())))
    entropies, bounds = zip(*values, strict=True)
    return {"H_theta": fmean(entropies), "H_bound": fmean(bounds)}


def save_weights(module: CodecModule, path: Path) -> None:
    """Save codec and q_θ; a crash leaves no incomplete file."""
    with atomic_write(path) as place:
        torch.save({name: part.state_dict() for name, part in _parts(module).items()}, place)


def load_weights(module: CodecModule, path: Path) -> None:
    """Load what :func:`save_weights` saved, of codec and q_θ what both the file and the module have."""
    states = torch.load(path, weights_only=True)
    for name, part in _parts(module).items():
        if name in states:
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
