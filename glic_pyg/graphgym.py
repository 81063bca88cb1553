"""GraphGym: importing this module registers the layer ``gfaconv`` (``gnn.layer_type: gfaconv``).

A graph's ``edge_attr``, where it has whole numbers of shape (E, 2), are the lattice offsets of the position
bias, and its ``padding`` nodes carry nothing.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch_geometric.graphgym.register import register_layer

from glic_pyg.nn import GFAConv

__all__ = ["GFAConvLayer"]

HEADS = 8


@register_layer("gfaconv")
class GFAConvLayer(nn.Module):
    """:class:`~glic_pyg.nn.GFAConv` as GraphGym calls its layers.

    Args:
        layer_config: of GraphGym; ``dim_in`` and ``dim_out`` are read.
        **kwargs: ``heads``, by default 8, or as many of these as divide ``dim_out``.
    """

    def __init__(self, layer_config: Any, **kwargs: Any) -> None:
        super().__init__()
        width = layer_config.dim_out
        kwargs.setdefault("heads", next(heads for heads in range(HEADS, 0, -1) if width % heads == 0))
        self.model = GFAConv(layer_config.dim_in, width, **kwargs)

    def forward(self, batch: Any) -> Any:
        """Replace ``batch.x``."""
        offsets = batch.edge_attr
        whole = offsets is not None and offsets.dim() == 2 and offsets.shape[1] == 2
        whole = whole and not offsets.is_floating_point()
        batch.x = self.model(batch.x, batch.edge_index, offsets if whole else None, batch.get("padding"))
        return batch
