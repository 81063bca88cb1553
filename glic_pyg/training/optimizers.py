"""Which parameters learn, and from which optimizer; Muon for a codec; the moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from glic_pyg.errors import TrainingError

Parameters = dict[str, nn.Parameter]


class ParameterGroups(NamedTuple):
    """The trainable parameters of a run by name, each in exactly one group."""

    codec: Parameters
    """Those of the rate-distortion objective."""
    quantiles: Parameters
    """Those of the auxiliary loss: of every entropy bottleneck, the parameter named ``quantiles``."""
    theta: Parameters
    """Those of the source model q_theta; empty in plain training."""


def parameter_groups(model: nn.Module, source: nn.Module | None = None) -> ParameterGroups:
    """Divide the trainable parameters of a codec and of a source model.

    Args:
        model: a codec.
        source: q_theta, if there is one.

    Returns:
        The groups; parameters that need no gradient are in none of them.

    Raises:
        ValueError: codec and source model share a parameter, which two objectives would pull at.
    """
    groups = ParameterGroups({}, {}, {})
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_quantiles = name.rsplit(".", 1)[-1] == "quantiles"
            (groups.quantiles if is_quantiles else groups.codec)[name] = parameter
    if source is not None:
        groups.theta.update((f"theta.{n}", p) for n, p in source.named_parameters() if p.requires_grad)
    of_model = {id(parameter) for parameter in model.parameters()}
    shared = [name for name, parameter in groups.theta.items() if id(parameter) in of_model]
    if shared:
        raise ValueError(f"codec and source model share the parameter {shared[0]}: give each its own.")
    return groups


def freeze_all_but(model: nn.Module, parts: Sequence[str]) -> None:
    """Let some parts of a model learn, and no others; what is fixed in these parts stays so.

    Args:
        model: a codec; changed in place.
        parts: names of children, such as ``g_s`` and ``latent_codec``.

    Raises:
        TrainingError: there is no such part, or none at all.
    """
    by_part = [(name.partition(".")[0], parameter) for name, parameter in model.named_parameters()]
    known = [*dict.fromkeys(part for part, _ in by_part)]
    unknown = [part for part in parts if part not in known]
    if unknown or not parts:
        raise TrainingError(
            f"module.learns names parts of {type(model).__name__}, which has {', '.join(known)}, "
            f"not {', '.join(unknown) or 'none of them'}."
        )
    for part, parameter in by_part:
        if part not in parts:
            parameter.requires_grad_(False)


def muon(
    parameters: Iterable[nn.Parameter],
    lr: float = 1e-4,
    others_lr: float | None = None,
    momentum: float = 0.95,
    ns_steps: int = 5,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Optimizer:
    """Muon for weights that are matrices, AdamW for all others; see :func:`is_matrix`.

    Muon (Jordan et al., 2024) of the package ``pytorch_optimizer``. Its updates are scaled by
    0.2·√max(rows, columns), so that they are as large as Adam's and ``lr`` means the same as there
    (Liu et al., "Muon is Scalable for LLM Training", arXiv 2502.16982, section 2.2).

    Args:
        parameters: of the codec.
        lr: learning rate of the matrices.
        others_lr: learning rate of the others; None is ``lr``.
        momentum: of the matrices.
        ns_steps: Newton-Schulz iterations that make an update orthogonal.
        weight_decay: decoupled, of the matrices; the others (biases, gains, entropy models) have none.
        betas, eps: AdamW's, of the others.
    """
    from pytorch_optimizer import Muon  # of the extra ``optim``

    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in parameters:
        (matrices if is_matrix(parameter) else others).append(parameter)
    groups = [
        {"params": matrices, "use_muon": True, "lr": lr, "weight_decay": weight_decay},
        {"params": others, "use_muon": False, "lr": lr if others_lr is None else others_lr},
    ]
    return Muon(
        [group for group in groups if group["params"]],
        momentum=momentum,
        ns_steps=ns_steps,
        use_adjusted_lr=True,
        adamw_betas=betas,
        adamw_eps=eps,
    )


def is_matrix(parameter: nn.Parameter) -> bool:
    """Whether a weight maps all its input channels to each output channel.

    So do linear layers, (out, in), and dense convolutions, (out, in, h, w), taken as (out, in·h·w). A
    depthwise kernel, (channels, 1, h, w), is one filter a channel; an entropy bottleneck's (channels, 3, 3)
    is one small network a channel: to orthogonalize these would mix channels that have nothing in common.
    """
    return parameter.ndim in (2, 4) and parameter.shape[1] > 1


class WeightAverage(AveragedModel):
    r"""A second copy of a model, always in eval mode, whose weights trail the first one's.

    .. math::
        \bar w \leftarrow \bar w + (1 - d_t)(w - \bar w), \qquad
        d_t = \min\!\left(d, \frac{1 + t}{10 + t}\right)

    The decay d_t of update t starts low, so that the initial weights are soon forgotten; update 0 takes the
    weights over. Buffers, which hold counts and tables, are copied and not averaged.

    Args:
        model: the model in training.
        decay: d, in [0, 1); 0 makes the average equal to the model after every update.

    Raises:
        TrainingError: the decay is outside of [0, 1).
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise TrainingError(f"The decay of the average is at least 0 and below 1, not ema_decay={decay}.")
        super().__init__(model, multi_avg_fn=partial(_average, decay), use_buffers=False)
        self.requires_grad_(False).eval()

    def restart(self, model: nn.Module) -> None:
        """Begin again at the weights of ``model``."""
        self.module.load_state_dict(model.state_dict())
        self.n_averaged.zero_()

    def train(self, mode: bool = True) -> WeightAverage:
        """Stay in eval mode: the average is only ever evaluated."""
        return super().train(False)


@torch.no_grad()
def _average(decay: float, averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
    step = int(count)
    torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + step) / (10 + step)))
