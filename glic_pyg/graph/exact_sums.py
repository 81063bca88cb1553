r"""Values whose sums are exact, so that a graph is the same on every machine, bit by bit.

A sum of floating-point numbers depends on the order of its terms, and that order on the processor, the
library and the number of threads. Multiples of one power of two have no such freedom as long as every sum
fits the 53 bits of a float64. So features, complexity scores and unit features are rounded to lattices before
they are summed; what stands between (square root, division, comparison) is rounded correctly by IEEE 754, one
value at a time.

This is our own addition, for graphs that an entropy model builds: there the decoder must find the encoder's
edges, while a similarity that is off by its last bit could move one (:mod:`glic_pyg.models.context`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.graph.degree import FLATTENING
from glic_pyg.graph.similarity import NORM_FLOOR, refuse_unusable

FEATURE_STEP = 2.0**-8  # the lattice of decoded latents
LARGEST_FEATURE = 2.0**12  # squares of 2^13 channels then sum within 2^53 steps of 2^-16
SCORE_STEP = 2.0**-16
UNIT_STEP = 2.0**-20  # products are multiples of 2^-40, at most 1


def on_lattice(values: Tensor, step: float) -> Tensor:
    """The nearest multiples of a power of two, ties to even."""
    return (values / step).round_().mul_(step)


def exact_features(x: Tensor) -> Tensor:
    """A feature map in float64, as multiples of 1/256 up to 4096; decoded latents are left as they are.

    Raises:
        NonFiniteMap: if a value is NaN or infinite.
    """
    x = on_lattice(x.double(), FEATURE_STEP)
    refuse_unusable(x)
    return x.clamp_(-LARGEST_FEATURE, LARGEST_FEATURE)


def exact_scores(complexity: Tensor) -> Tensor:
    """Complexity ``(B, H, W)``, flattened as ``flatten_towards_mean`` does it, as multiples of 2^-16."""
    rounded = on_lattice(complexity, SCORE_STEP)
    count = float(rounded[0].numel())
    mean = (rounded.sum((1, 2)) / count)[:, None, None]
    return on_lattice(mean + (rounded - mean) / FLATTENING, SCORE_STEP)


def exact_unit_features(nodes: Tensor) -> Tensor:
    """Rows of ``(N, C)`` from :func:`exact_features` at length 1 to 2^-20, then a phantom row of zeros."""
    norms = nodes.square().sum(-1, keepdim=True).sqrt_()
    unit = on_lattice(nodes / norms.clamp_min_(NORM_FLOOR), UNIT_STEP)
    return torch.cat([unit, unit.new_zeros(1, unit.shape[1])])
