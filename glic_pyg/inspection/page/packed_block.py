"""A block's graphs and attention as a page carries them."""

from __future__ import annotations

from typing import Any

import numpy as np

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.graph_arrays import GraphArrays
from glic_pyg.inspection.layer_attention import LayerAttention
from glic_pyg.inspection.page.kept_nodes import KeptNodes
from glic_pyg.inspection.page.neighbour_bits import NeighbourBits, neighbour_bits
from glic_pyg.inspection.page.node_map import pack_counts, pack_values
from glic_pyg.inspection.page.streams import Streams

__all__ = ["WEIGHT_STEPS", "pack_block"]

WEIGHT_STEPS = 100


def pack_block(
    block: BlockGraphs, photo_shape: tuple[int, int], pitch: int, streams: Streams
) -> dict[str, Any]:
    """One block over a photo of (H, W) pixels.

    Kept are the neighbours of the kept nodes exactly, their attention rounded to whole percents,
    and the maps of all nodes.
    """
    kept = KeptNodes.of(block, photo_shape, pitch)
    neighbours = {kind: neighbour_bits(graph, kept) for kind, graph in block.graphs.items()}
    return {
        "name": block.name,
        "transform": block.transform,
        "stage": block.stage,
        "stride": block.stride,
        "shape": block.shape,
        "rows": kept.rows.tolist(),
        "columns": kept.columns.tolist(),
        "complexity": pack_values(block.crop(block.complexity, *photo_shape), block.stride, streams),
        "graphs": {
            kind: _pack_graph(block, graph, neighbours[kind], photo_shape, kept, streams)
            for kind, graph in block.graphs.items()
        },
        "layers": [_pack_layer(layer, neighbours[layer.graph.kind], kept, streams) for layer in block.layers],
    }


def _pack_graph(
    block: BlockGraphs,
    graph: GraphArrays,
    neighbours: NeighbourBits,
    photo_shape: tuple[int, int],
    kept: KeptNodes,
    streams: Streams,
) -> dict[str, Any]:
    of_kept = np.ix_(kept.rows, kept.columns)
    return {
        **neighbours.pack(streams),
        "degree": pack_counts(block.crop(graph.degree, *photo_shape), block.stride, streams),
        "target": pack_values(graph.target_degree[of_kept], block.stride, streams),
        "lonely": np.flatnonzero(graph.lonely[of_kept]).tolist(),
    }


def _pack_layer(
    layer: LayerAttention, neighbours: NeighbourBits, kept: KeptNodes, streams: Streams
) -> dict[str, Any]:
    weights = layer.weights(kept.places)[neighbours.order]
    levels = np.round(weights * WEIGHT_STEPS).astype(np.uint8)
    return {
        "number": layer.number,
        "kind": layer.graph.kind,
        "heads": [streams.add_array(head) for head in levels.T],
    }
