"""Who lies within a radius of whom, on the lattice of a feature map."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from glic_pyg.graph.cells import CELL_SIDE

try:
    from torch_cluster import radius as cluster_radius
except (ImportError, OSError):  # absent, or compiled for another torch
    cluster_radius = None

PAIRS_AT_ONCE = 2**20


def within_radius(targets: Tensor, sources: Tensor, radius: float) -> Tensor:
    """Pairs of lattice positions at a Euclidean distance of at most ``radius``.

    Uses ``torch_cluster.radius`` where it is installed; the result is the same without.

    Args:
        targets: ``(n, 2)`` int64 positions.
        sources: ``(m, 2)`` int64 positions.
        radius: in lattice steps, not negative.

    Returns:
        ``(2, E)`` int64, row 0 into ``sources``, row 1 into ``targets``, sorted by target, then source.

    Raises:
        ValueError: if the radius is negative or not finite.
    """
    if not 0 <= radius < math.inf:
        raise ValueError(f"a radius of {radius} lattice steps makes no graph: choose a finite one, 0 or more")
    # Squared distances are whole numbers: half a step above the largest one inside, nothing can round.
    bound = math.floor(radius**2) + 0.5
    if cluster_radius is None or not len(targets) or not len(sources):
        return _compare_all(targets, sources, bound)
    found = cluster_radius(
        sources.double(), targets.double(), math.sqrt(bound), max_num_neighbors=len(sources)
    )
    order = torch.argsort(found[0] * len(sources) + found[1])
    return found.flip(0)[:, order]


def _compare_all(targets: Tensor, sources: Tensor, bound: float) -> Tensor:
    """The same by comparing every target with every source, some targets at a time."""
    found = [targets.new_empty(2, 0)]
    at_once = max(1, PAIRS_AT_ONCE // max(1, len(sources)))
    for first in range(0, len(targets), at_once):
        squared = (targets[first : first + at_once, None] - sources).square().sum(-1)
        target, source = (squared < bound).nonzero(as_tuple=True)
        found.append(torch.stack([source, target + first]))
    return torch.cat(found, dim=1)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # kept for training as well, wherever it is first asked for
def disc_columns(radius: float, cell_side: int = CELL_SIDE) -> Tensor:
    """Where the disc of each node of a cell lies in the smallest window that holds all of them.

    Returns:
        ``(q, K)`` int64 row-major positions in the window of side ``cell_side + 2 * floor(radius)``,
        ascending; K is the number of lattice positions in the disc.
    """
    margin = math.floor(radius)
    node, window = (_square(side) for side in (cell_side, cell_side + 2 * margin))
    return within_radius(node + margin, window, radius)[0].view(cell_side**2, -1)


def _square(side: int) -> Tensor:
    axis = torch.arange(side, device="cpu")  # also while a model is laid out on the meta device
    return torch.cartesian_prod(axis, axis).view(-1, 2)
