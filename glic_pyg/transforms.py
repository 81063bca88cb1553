"""PyG transforms: an image or a feature map becomes a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from glic_pyg.graph import WindowGraph, graph_builder, union_data

__all__ = ["FeatureMapToGraph"]


class FeatureMapToGraph(BaseTransform):
    """Convert an image or a feature map to a graph whose nodes are its positions, or patches of it.

    Edges lead from the candidates that are most similar to a node (cosine similarity), and more of them to
    where the map changes (:mod:`glic_pyg.graph`). Pixels are all positive, so all would look alike: what is
    compared are features minus their mean over the map. ``data.x`` keeps the mean.

    Args:
        kind: ``"local"``, ``"mesh"``, ``"union"``, or ``"radius"`` with ``radius=`` among the settings.
        patch: side of the square of pixels that a node stands for; the map is extended to multiples of it by
            its last row and column.
        centre: compare features minus their mean.
        **settings: of :class:`~glic_pyg.graph.GraphBuilder` or :class:`~glic_pyg.graph.RadiusGraphBuilder`;
            here ``method="exact"`` and ``padding=False`` unless given.

    Shapes: a tensor ``(C, H, W)`` or ``(1, C, H, W)``, an array ``(H, W)`` or ``(H, W, C)``, or a Pillow
        image; bytes become 0..1. Or a ``Data`` with such an ``image``, whose other attributes are kept.

    Raises:
        ValueError: it is none of these, or the settings do not go together.
    """

    def __init__(self, kind: str = "local", patch: int = 1, centre: bool = True, **settings: Any) -> None:
        if patch < 1:
            raise ValueError(f"a patch of {patch} pixels holds nothing: choose 1 or more")
        self.kind, self.patch, self.centre = kind, patch, centre
        self.settings = {"method": "exact", **({} if kind == "radius" else {"padding": False}), **settings}
        inner = ["local", "mesh"] if kind == "union" else [kind]
        self._build = graph_builder(inner, **self.settings)

    def forward(self, data: Any) -> Data:
        """The graph of an image, or of ``data.image``."""
        if not isinstance(data, Data):
            return self._graph(_as_map(data))
        if "image" not in data:
            raise ValueError("this data has no image: give it one as data.image, (C, H, W)")
        graph = self._graph(_as_map(data.image))
        for name, value in data.to_dict().items():
            if name != "image" and name not in graph:
                graph[name] = value
        return graph

    def _graph(self, pixels: Tensor) -> Data:
        side = self.patch
        extra = [-size % side for size in pixels.shape[2:]]
        if any(extra):
            pixels = F.pad(pixels, (0, extra[1], 0, extra[0]), mode="replicate")
        x = F.pixel_unshuffle(pixels, side)
        graphs = self._build(x - x.mean((2, 3), keepdim=True) if self.centre else x)
        if self.kind == "union":
            return union_data(graphs, x)
        graph = graphs[self.kind]
        if isinstance(graph, WindowGraph):
            return graph.to_data(x)
        graph.x = x.permute(0, 2, 3, 1).flatten(0, 2)
        return graph

    def __repr__(self) -> str:
        options = {"patch": self.patch, "centre": self.centre, **self.settings}
        words = "".join(f", {name}={value!r}" for name, value in options.items())
        return f"{type(self).__name__}({self.kind!r}{words})"


def _as_map(image: Any) -> Tensor:
    """``(1, C, H, W)`` floating point."""
    if not isinstance(image, Tensor):
        pixels = np.asarray(image)
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        if pixels.ndim != 3:
            raise ValueError(f"an image has the shape (H, W) or (H, W, C), got {pixels.shape}")
        image = torch.from_numpy(np.array(pixels.transpose(2, 0, 1)))
    found: Tensor = image[None] if image.dim() == 3 else image
    if found.dim() != 4 or len(found) != 1:
        raise ValueError(f"a map has the shape (C, H, W) or (1, C, H, W), got {tuple(image.shape)}")
    return (
        found / 255 if found.dtype == torch.uint8 else found if found.is_floating_point() else found.float()
    )
