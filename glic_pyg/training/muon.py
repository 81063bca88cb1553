"""Muon for a codec: its weights that are matrices learn by orthogonal updates, all others by AdamW."""

from __future__ import annotations

from collections.abc import Iterable

from pytorch_optimizer import Muon
from torch import nn
from torch.optim import Optimizer


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
    """One optimizer with two groups, see :func:`is_matrix`.

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
