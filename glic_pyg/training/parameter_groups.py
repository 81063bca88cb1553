"""Which optimizer owns which parameter."""

from typing import NamedTuple

from torch import nn

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
