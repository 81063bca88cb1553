"""Conditioning of a trained GLIC: fixed factors a channel, with which it learns more evenly; and back.

A conditioned model multiplies what its convolutions read by such factors (:class:`~glic_pyg.nn.Rescale`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from glic_pyg.models.gain import BEST_QUALITY
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import Rescale

__all__ = ["condition", "fold", "front"]

BOUNDS = (1 / 64, 4.0)
"""Bounds of the factors that a trained model is conditioned with."""
SILENT = 0.01
"""A layer whose median channel spreads less is hardly used; its quiet channels are not amplified."""


@torch.no_grad()
def condition(model: GLIC, trained: GLIC, x: Tensor) -> None:
    """Let a conditioned model compute what a trained one without fixed factors does, with better gradients.

    Every :class:`Rescale` that a convolution reads gets the spread of its channels relative to their median,
    within bounds, and the convolution's weights are divided by it: channels far larger than the others (the
    mean of a block beside its finest detail) then learn in smaller steps. Factors behind networks stay 1.
    Since all are powers of two, outputs do not change by a bit.

    Args:
        model: untrained; changed in place.
        trained: the same architecture; its graphs may be others.
        x: ``(B, 3, H, W)`` images in [0, 1], H and W multiples of 128; coded at qualities from lowest to
            highest.

    Raises:
        ValueError: the models differ in more than ``conditioned`` and ``graph``.
    """
    given = {**trained.config, "conditioned": True, "graph": model.config["graph"]}
    different = [name for name, value in model.config.items() if value != given[name]]
    if different:
        raise ValueError(
            f"A conditioned model differs from the one that it begins as in {', '.join(different)}."
        )
    for parameter, value in zip(_trained(model), trained.parameters(), strict=True):
        parameter.copy_(value)
    scaled = list(_scaled(model))
    spreads = _spreads(model, scaled, x)
    for part, _, readers in scaled:
        centre = spreads[part].median()
        least = centre / 4 if centre > SILENT else torch.ones_like(centre)
        part.set((centre / spreads[part].clamp_min(least)).clamp(*BOUNDS))
        for reader in readers:
            cast(Tensor, reader.weight).div_(part.factor[:, None, None])


@torch.no_grad()
def fold(model: GLIC) -> GLIC:
    """The model without fixed factors that computes the same: the inverse of :func:`condition`.

    Raises:
        ValueError: there are factors behind networks, as ``klt_init`` sets them, which cannot be folded.
    """
    plain = GLIC(**{**model.config, "conditioned": False}).train(model.training)
    folded = copy.deepcopy(model)
    for part, _, readers in _scaled(folded):
        for reader in readers:
            cast(Tensor, reader.weight).mul_(part.factor[:, None, None])
        part.factor.fill_(1)
    if any((part.factor != 1).any() for part in folded.modules() if isinstance(part, Rescale)):
        raise ValueError(
            "This model has fixed factors behind networks, which cannot become part of the weights."
        )
    for parameter, value in zip(plain.parameters(), _trained(folded), strict=True):
        parameter.copy_(value)
    return plain


def _trained(model: GLIC) -> Iterator[nn.Parameter]:
    """All parameters but the fixed factors, in order."""
    factors = {id(part.factor) for part in model.modules() if isinstance(part, Rescale)}
    return (parameter for parameter in model.parameters() if id(parameter) not in factors)


class _Scaled(NamedTuple):
    """A Rescale in front of convolutions.

    Attributes:
        part: the Rescale.
        place: the module that is given what it scales: itself, or a masked convolution that has it inside.
        readers: the convolutions that read the result.
    """

    part: Rescale
    place: nn.Module
    readers: tuple[nn.Module, ...]


def _scaled(model: GLIC) -> Iterator[_Scaled]:
    """Every Rescale in front of convolutions."""
    hyper, y = model.latent_codec.hyper, model.latent_codec.y
    for layers in (*model.g_a.down[1:], *model.g_s.up, hyper.h_a):
        yield _Scaled(front(layers), front(layers), (cast(nn.Sequential, layers)[1],))
    yield _Scaled(front(hyper.h_s), front(hyper.h_s), (hyper.h_s[1][0],))
    for ramp in y.channel_context.values():
        yield _Scaled(front(ramp), front(ramp), (ramp[1].mix_in, ramp[1].skip))
    for codec in y.latent_codec.values():
        convolution = codec.context_prediction
        yield _Scaled(convolution.rescale, convolution, (convolution,))


def _spreads(model: GLIC, scaled: Sequence[_Scaled], x: Tensor) -> dict[Rescale, Tensor]:
    """The root mean square of every channel that each Rescale is given, (C,)."""
    spreads: dict[Rescale, Tensor] = {}

    def watch(part: Rescale, place: nn.Module) -> RemovableHandle:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            spreads[part] = inputs[0].float().square().mean((0, 2, 3)).sqrt()

        return place.register_forward_pre_hook(note)

    handles = [watch(each.part, each.place) for each in scaled]
    was_training = model.training
    model.eval()(x, torch.linspace(0, BEST_QUALITY, len(x), device=x.device) if model.rates else None)
    model.train(was_training)
    for handle in handles:
        handle.remove()
    return spreads


def front(layers: nn.Module) -> Rescale:
    """The Rescale in front of a network."""
    return cast(Rescale, cast(nn.Sequential, layers)[0])
