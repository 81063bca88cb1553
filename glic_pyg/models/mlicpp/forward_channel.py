"""The channel of a model that codes nothing: it quantises, and remembers how likely each value was."""

from __future__ import annotations

from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from compressai.ops import quantize_ste
from torch import Tensor

from glic_pyg.models.base import at_least_float32


class ForwardChannel:
    """A :class:`~glic_pyg.models.base.EntropyCoder` for training and for estimates of the rate.

    Values are rounded around their means, with the gradient of the identity. The likelihoods are those of
    the rounded values, and while ``prior`` is in training those of values with uniform noise instead. Half
    precision is widened to float32 first: bfloat16 does not tell neighbouring integers apart beyond 256.

    Args:
        prior: gives the likelihoods of y.

    Attributes:
        likelihoods: of every call but :meth:`lattice`, in order, each of its values' shape.
    """

    def __init__(self, prior: GaussianConditional) -> None:
        self.prior = prior
        self.likelihoods: list[Tensor] = []

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """z_hat, the shape of ``values``; the argument ``shape`` is of no use here."""
        assert values is not None
        values = at_least_float32(values)
        self.likelihoods.append(bottleneck(values)[1])
        medians = bottleneck.quantiles[:, :, 1:2].detach()
        return quantize_ste(values - medians) + medians

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """y_hat, the shape of ``values``."""
        assert values is not None
        means, scales, values = (at_least_float32(t) for t in (means, scales, values))
        self.likelihoods.append(self.prior(values, scales, means)[1])
        return quantize_ste(values - means) + means

    def lattice(self, values: Tensor) -> Tensor:
        """The values as they are: nobody has to agree with anybody."""
        return values
