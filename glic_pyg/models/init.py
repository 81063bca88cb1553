"""Initial weights better than noise: a linear transform codec, or a smaller model that is trained already.

:func:`klt_init` makes an untrained GLIC an ordinary transform codec. The side branch is a chain of linear
maps of Haar bands. Each map is set to the principal axes of its own bands (the Karhunen-Loeve transform),
the synthesis maps to their transposes, and the last convolution of both main branches to zero. The model
reconstructs images from the first step on, and training starts from there. The loss, the architecture and
the released weights are not touched.

:func:`grow` takes over a trained model that has fewer GFA layers, fewer latent channels, or other graphs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from glic_pyg.models.conditioning import condition, front
from glic_pyg.models.gain import BEST_QUALITY
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GatedBlock, GFALayer, HaarDown, HaarUp, PointwiseBlock, Rescale
from glic_pyg.nn.haar import HaarBranch
from glic_pyg.nn.pointwise import rows_of

__all__ = ["grow", "klt_init"]


LEAST_SCALE = 0.11
LEAST_LATENT_SCALE = 0.3
"""Channels of less spread are hardly ever coded: amplifying them further would amplify noise."""
HYPER_GAIN = 8.0
"""Gain of z of a conditioned model, so that rounding it to integers leaves something of its start."""


@torch.no_grad()
def klt_init(model: GLIC, x: Tensor, lmbda: float) -> None:
    r"""Set the side branches, the last main convolutions and the prior's scales from images.

    Latents are rounded to integers, so the gain of the transform is its quantiser. At high rate a
    uniform quantiser of step D minimises bpp + lmbda 255^2 MSE, MSE over the three colours, where

    .. math:: \Delta^2 = 18 / (\ln 2 \cdot \lambda \cdot 255^2),

    and the log-scales of the four Haar steps share out the gain 1 / D.

    Args:
        model: a model that has not been trained.
        x: ``(B, 3, H, W)`` images in [0, 1]; the more the better, H and W multiples of 16.
        lmbda: the rate-distortion trade-off that training will use; for a variable-rate model that of its
            middle.
    """
    log_gain = -0.5 * math.log(18 / (math.log(2) * lmbda * 255**2)) / len(model.g_a.side)
    for branch in [*model.g_a.side, *model.g_s.side]:
        cast(HaarBranch, branch).scaling.fill_(log_gain)
    side = [x]
    for down, up in zip(model.g_a.side, reversed(model.g_s.side), strict=True):
        side.append(_set_axes(cast(HaarDown, down), cast(HaarUp, up), side[-1]))
    zero_init_(model.g_a.down[-1])
    zero_init_(model.g_s.up[-1])
    if model.config["conditioned"]:
        _condition(model, side[1:])
    set_scales(model, side[-1])


def _set_axes(down: HaarDown, up: HaarUp, x: Tensor) -> Tensor:
    """Point one pair of maps along the principal axes of the bands of x; returns the next side map."""
    bands = haar_bands(down, x)
    mean = bands.mean(0)
    axes = principal_axes(bands - mean)
    kept = min(down.linear.out_features, len(axes))
    for linear in (down.linear, up.linear):
        linear.weight.zero_()
    down.linear.weight[:kept] = axes[:kept]
    down.linear.bias.copy_(-down.linear.weight @ mean)
    up.linear.weight[:, :kept] = axes[:kept].T
    up.linear.bias.copy_(mean)
    return down(x)


def principal_axes(centred: Tensor) -> Tensor:
    """Orthonormal axes of ``(places, C)`` samples of mean zero, ``(C, C)``; the greatest spread first."""
    covariance = centred.T @ centred / len(centred)
    return torch.linalg.eigh(covariance.double()).eigenvectors.flip(1).T.to(centred.dtype)


def haar_bands(down: HaarDown, x: Tensor) -> Tensor:
    """The scaled Haar bands that the map of ``down`` reads, ``(places, 4 * channels)``."""
    rows = rows_of(x)
    b, h, w, c = rows.shape
    blocks = rows.view(b, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
    return torch.einsum("npc,bp->nbc", blocks, down.haar).flatten(1) * down.scaling.exp()


def zero_init_(layer: nn.Module) -> None:
    """Set all trainable parameters of ``layer`` to zero."""
    for parameter in layer.parameters():
        if parameter.requires_grad:
            parameter.zero_()


def _condition(model: GLIC, side: Sequence[Tensor]) -> None:
    """Set the fixed factors of a conditioned model from the side maps of its four stages."""
    *inner, latents = (maps.std((0, 2, 3)) for maps in side)
    latents = latents.clamp_min(LEAST_LATENT_SCALE)
    inner = [scale.clamp_min(1) for scale in inner]
    for stage, scale in enumerate(inner, start=1):
        front(model.g_a.down[stage]).set(1 / scale)
        front(model.g_s.up[-stage]).set(1 / scale)
    front(model.g_s.up[0]).set(1 / latents)
    hyper, y = model.latent_codec.hyper, model.latent_codec.y
    front(hyper.h_a).set(1 / latents)
    hyper.h_a[-1].factor.fill_(HYPER_GAIN)
    hyper.h_s[0].factor.fill_(1 / HYPER_GAIN)
    first = 0
    for number, (codec, size) in enumerate(zip(y.latent_codec.values(), y.groups, strict=True)):
        own = latents[first : first + size]
        if number:
            front(y.channel_context[f"y{number}"]).set(1 / latents[:first])
        codec.context_prediction.rescale.set(1 / own)
        codec.entropy_parameters[-1].set(own.repeat(2))
        first += size


def set_scales(model: GLIC, latents: Tensor, first_group: int = 0) -> None:
    """Let the prior of latent channels start with each channel's own standard deviation.

    Args:
        model: whose entropy parameters to set.
        latents: (B, M, h, w), as the entropy model sees them.
        first_group: the first group that is touched.
    """
    groups = model.latent_codec.y.latent_codec
    scales = latents.std((0, 2, 3)).clamp_min(LEAST_SCALE).split(model.latent_codec.y.groups)
    for codec, part in list(zip(groups.values(), scales, strict=True))[first_group:]:
        *_, last = (layer for layer in codec.entropy_parameters if isinstance(layer, PointwiseBlock))
        behind = codec.entropy_parameters[-1]
        factor = behind.factor[: len(part)] if isinstance(behind, Rescale) else 1
        cast(Tensor, last.mix.bias)[: len(part)] = part / factor


@torch.no_grad()
def grow(model: GLIC, small: nn.Module, images: Callable[[], Tensor]) -> None:
    """Let ``model`` begin as ``small``, a trained GLIC of fewer layers or channels, or of other graphs.

    Added GFA layers, in the transforms or in the entropy model, have output projections of zero and pass on
    what they are given; so do the gated blocks of a transform that has no GFA layers any more. Added latent
    channels are the principal axes of what the trained ones leave of the last stage's Haar bands; g_s reads
    them through its side branch, fitted to what ``small`` gets wrong in images, and through nothing else. The
    entropy networks of added groups are untrained, with priors as wide as their channels.

    A conditioned model begins as one that is not, see
    :func:`~glic_pyg.models.conditioning.condition`; only its graphs may be others then.

    Args:
        model: an untrained model; changed in place.
        small: the trained one.
        images: called only where channels are added or conditioned; ``(B, 3, H, W)`` images in [0, 1], H and
            W multiples of 128; thousands of 16x16 blocks.

    Raises:
        ValueError: ``small`` is no GLIC, or the models differ in more than ``graph``, ``gfa_in``, a greater
            ``gfa_depth`` or ``context_gfa_depth`` and appended ``groups``, or ``conditioned``.
    """
    if not isinstance(small, GLIC):
        raise ValueError(f"A GLIC grows out of a GLIC, not out of a {type(small).__name__}.")
    if model.config["conditioned"] and not small.config["conditioned"]:
        condition(model, small, images())
        return
    _check(small.config, model.config)
    trained = dict(small.named_parameters())
    for name, parameter in model.named_parameters():
        source = trained.get(name, trained.get(_without_graph_context(name)))
        if source is not None:
            _copy_into_corner(parameter, source)
    for name, layer in model.named_modules():
        if isinstance(layer, GFALayer) and f"{name}.project_out.weight" not in trained:
            zero_init_(layer.conv.out)
            zero_init_(layer.project_out)
        elif (
            isinstance(layer, GatedBlock)
            and name.startswith(("g_a.", "g_s."))
            and f"{name}.mix_out.weight" not in trained
        ):
            zero_init_(layer.mix_out)
            zero_init_(layer.ffn.project_out)
    if model.latent_channels > small.latent_channels:
        _add_channels(model, small, images())


def _without_graph_context(name: str) -> str:
    """The name of a channel context's parameter in a model without GFA layers behind it."""
    return name.replace(".ramp.", ".") if ".channel_context." in name else name


def _check(small: dict[str, Any], large: dict[str, Any]) -> None:
    grows = {
        "gfa_depth": large["gfa_depth"] >= small["gfa_depth"],
        "context_gfa_depth": large["context_gfa_depth"] >= small["context_gfa_depth"],
        "graph": True,
        "gfa_in": True,
        "groups": large["groups"][: len(small["groups"])] == small["groups"],
        "widths": large["widths"][:-1] == small["widths"][:-1],
    }
    different = [name for name, value in large.items() if not grows.get(name, value == small[name])]
    if different:
        raise ValueError(
            "A model grows by a greater gfa_depth or context_gfa_depth and by groups appended to the trained "
            "ones (with the last of widths), and may have another graph or gfa_in; these two differ in "
            f"{', '.join(different)}."
        )


def _copy_into_corner(parameter: Tensor, trained: Tensor) -> None:
    """The trained values, and zero for the channels that are new."""
    parameter.zero_()
    parameter[tuple(slice(size) for size in trained.shape)] = trained


def _add_channels(model: GLIC, small: GLIC, x: Tensor) -> None:
    known = small.latent_channels
    if model.rates is not None:
        last_group = slice(known - small.config["groups"][-1], known)
        model.rates.log_gain[:, known:] = model.rates.log_gain[:, last_group].mean(1, keepdim=True)
        model.rates.log_inverse_gain[:, known:] = -model.rates.log_gain[:, known:]
    _add_axes(model, known, x)
    y = model.g_a(x)
    _fit_synthesis(model, known, y, x)
    latents = y if model.rates is None else model.rates.scale(y, BEST_QUALITY / 2)
    set_scales(model, latents, first_group=len(small.config["groups"]))


def _add_axes(model: GLIC, known: int, x: Tensor) -> None:
    """Point new rows of the last side map along the principal axes of what the known rows do not span."""
    *first, last = (cast(HaarDown, branch) for branch in model.g_a.side)
    for branch in first:
        x = branch(x)
    bands = haar_bands(last, x)
    mean = bands.mean(0)
    rest = torch.linalg.qr(last.linear.weight[:known].T, mode="complete").Q[:, known:]
    axes = principal_axes((bands - mean) @ rest).T
    added = (rest @ axes).T[: model.latent_channels - known]
    last.linear.weight[known : known + len(added)] = added
    last.linear.bias[known : known + len(added)] = -added @ mean


def _fit_synthesis(model: GLIC, known: int, y: Tensor, x: Tensor) -> None:
    """New columns of the first side map of g_s: least squares from new latents to the error without them."""
    up = cast(HaarUp, model.g_s.side[0])
    seen = y
    if model.rates is not None:
        seen = model.rates.unscale(model.rates.scale(y, BEST_QUALITY), BEST_QUALITY)
    error = x - model.g_s(seen)
    b, _, h, w = y.shape
    cells = error.view(b, 3, h, 16, w, 16).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(0, 2)
    places = cells.double() @ torch.linalg.pinv(_pixels_of_places(model, up).double())
    bands = torch.einsum("npc,bp->nbc", places.unflatten(1, (4, -1)), up.haar.double()).flatten(1)
    new = seen[:, known:].permute(0, 2, 3, 1).flatten(0, 2).double()
    columns = torch.linalg.lstsq(new, bands * up.scaling.double().exp()).solution.T
    up.linear.weight[:, known:] = columns.to(up.linear.weight.dtype)


def _pixels_of_places(model: GLIC, up: HaarUp) -> Tensor:
    """What each of the 2x2 places of each channel behind ``up`` adds to a 16x16 block, ``(4 C, 768)``."""
    channels = len(up.scaling) // 4
    one_each = torch.eye(4 * channels, device=up.scaling.device).view(-1, 2, 2, channels).permute(0, 3, 1, 2)
    later = nn.Sequential(*list(model.g_s.side)[1:])
    return (later(one_each) - later(torch.zeros_like(one_each))).flatten(1)
