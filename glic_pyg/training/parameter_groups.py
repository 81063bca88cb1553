"""Which optimizer owns which parameter."""

from torch import nn


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Divide the trainable parameters of a codec, each into exactly one group.

    Args:
        model: a codec; the quantiles of its entropy bottlenecks are known by their name.

    Returns:
        (codec, quantiles): the parameters of the rate-distortion loss, and those of the auxiliary loss.
        Parameters that need no gradient are in neither.
    """
    codec: list[nn.Parameter] = []
    quantiles: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (quantiles if name.rsplit(".", 1)[-1] == "quantiles" else codec).append(parameter)
    return codec, quantiles
