"""Grow a trained GLIC: more GFA layers a block, more latent channels, and nothing forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from glic_pyg.models.gain import BEST_QUALITY
from glic_pyg.models.glic import GLIC
from glic_pyg.models.klt_start import haar_bands, principal_axes, set_scales, silence
from glic_pyg.nn import GFALayer, HaarDown, HaarUp

__all__ = ["grow"]


@torch.no_grad()
def grow(model: GLIC, small: nn.Module, pictures: Callable[[], Tensor]) -> None:
    """Let ``model`` begin as ``small``, a trained model with fewer GFA layers or fewer latent channels.

    Added GFA layers have output projections of zero and pass on what they are given. Added latent channels
    are the principal axes of what the trained ones leave of the last stage's Haar bands; g_s reads them
    through its side branch, fitted to what ``small`` gets wrong in pictures, and through nothing else. The
    entropy networks of added groups are untrained, with priors as wide as their channels.

    Args:
        model: an untrained model; changed in place.
        small: the trained one.
        pictures: called only where channels are added; ``(B, 3, H, W)`` images in [0, 1], H and W multiples
            of 128; thousands of 16x16 blocks.

    Raises:
        ValueError: ``small`` is no GLIC, or the models differ in more than a greater ``gfa_depth`` and
            appended ``groups``.
    """
    if not isinstance(small, GLIC):
        raise ValueError(f"A GLIC grows out of a GLIC, not out of a {type(small).__name__}.")
    _check(small.config, model.config)
    trained = dict(small.named_parameters())
    for name, parameter in model.named_parameters():
        if name in trained:
            _copy_into_corner(parameter, trained[name])
    for name, layer in model.named_modules():
        if isinstance(layer, GFALayer) and f"{name}.project_out.weight" not in trained:
            silence(layer.conv.out)
            silence(layer.project_out)
    if model.latent_channels > small.latent_channels:
        _add_channels(model, small, pictures())


def _check(small: dict[str, Any], large: dict[str, Any]) -> None:
    grows = {
        "gfa_depth": large["gfa_depth"] >= small["gfa_depth"],
        "groups": large["groups"][: len(small["groups"])] == small["groups"],
        "widths": large["widths"][:-1] == small["widths"][:-1],
    }
    different = [name for name, value in large.items() if not grows.get(name, value == small[name])]
    if different:
        raise ValueError(
            "A model grows by a greater gfa_depth and by groups appended to the trained ones (with the last "
            f"of widths); these two differ in {', '.join(different)}."
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
