"""One image and all that a page shows of it, packed small: JSON of the structure, streams of the numbers."""

from __future__ import annotations

import io
import math
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.attention import BlockGraphs, LayerAttention
from glic_pyg.inspection.graphs import GraphArrays, edges_of
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.page.neighbours import KeptNodes, NeighbourBits, neighbour_bits
from glic_pyg.inspection.stats import GraphStats, example_nodes

__all__ = [
    "Fields",
    "Streams",
    "attention_levels",
    "block_means",
    "pack_counts",
    "pack_panel",
    "pack_values",
]

MAP_STEPS = 1000
LEVELS_PER_OCTAVE = 8  # of attention: neighbouring levels differ by 9 %, so that rounding is off by 4.4 %
TOP_LEVEL = 96  # 12 octaves: what is below 1/4096 of the strongest reads as zero
ERROR_SQUARE = 4  # pixels
FIELD_VALUES = 200_000  # of all receptive fields together, at most
FIELD_DECADES = 4  # powers of ten between the faintest square that is shown and the strongest
_WEBP_QUALITY = 90


class Streams:
    """Numbered pieces of binary data that a page carries, each read only when it is needed.

    An array travels little-endian and deflated, for ``DecompressionStream``; all travel in base64, which
    costs a third of their size and survives every editor, server and mail program.

    Args:
        name: prefix of the pieces in the page, unlike that of other streams.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._texts: list[str] = []

    @property
    def size(self) -> int:
        """Bytes of the page that the pieces take."""
        return sum(map(len, self._texts))

    def add_array(self, values: NDArray[np.generic]) -> int:
        """Add the values of an array, row-major; returns the number of the piece."""
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        return self.add_bytes(zlib.compress(little.tobytes(), 6))

    def add_bytes(self, data: bytes) -> int:
        """Add some bytes as they are; returns the number of the piece."""
        self._texts.append(b64encode(data).decode("ascii"))
        return len(self._texts) - 1

    def html(self) -> str:
        """Script elements that hold the pieces; browsers run none of them."""
        return "\n".join(
            f'<script type="text/plain" id="{self.name}-{number}">{text}</script>'
            for number, text in enumerate(self._texts)
        )


class Fields(Protocol):
    """Receptive fields: rows and columns (P, 2) of latents, 16 pixels apart, and their maps (P, H, W)."""

    @property
    def positions(self) -> NDArray[np.integer]: ...

    @property
    def maps(self) -> NDArray[np.floating]: ...


def pack_panel(
    inspection: Inspection,
    stats: Sequence[Mapping[str, GraphStats]],
    pitch: int,
    streams: Streams,
    fields: Fields | None = None,
) -> dict[str, Any]:
    """A panel of the page.

    Args:
        inspection: what to show.
        stats: of its graphs, by kind, block by block.
        pitch: pixels between nodes whose neighbours are shown, see :class:`KeptNodes`.
        streams: take the numbers in.
        fields: receptive fields of some latents of the same image.
    """
    height, width = inspection.size
    error = np.sqrt(block_means(inspection.error_map, ERROR_SQUARE))
    return {
        "name": inspection.name,
        "weights": inspection.weights,
        "quality": inspection.quality,
        "width": width,
        "height": height,
        "pitch": pitch,
        "bpp": inspection.bpp,
        "psnr": inspection.psnr if math.isfinite(inspection.psnr) else None,  # JSON has no infinity
        "start": _start(inspection),
        "original": streams.add_bytes(_webp(inspection.image)),
        "decoded": streams.add_bytes(_webp(inspection.decoded)),
        "bits": pack_values(inspection.bit_map[::16, ::16], 16, streams),
        "error": pack_values(error, ERROR_SQUARE, streams),
        "blocks": [
            _pack_block(block, (height, width), pitch, of_block, streams)
            for block, of_block in zip(inspection.blocks, stats, strict=True)
        ],
        "fields": None if fields is None else _pack_fields(fields, streams),
    }


def _start(inspection: Inspection) -> tuple[float, float]:
    """Where the page begins, x and y in pixels: a node of high degree."""
    height, width = inspection.size
    if not inspection.blocks:
        return width / 2, height / 2
    block = min(inspection.blocks, key=lambda block: abs(block.stride - 8))
    row, column = example_nodes(block.crop(block.degree, height, width), margin=0.25)[0]
    return (column + 0.5) * block.stride, (row + 0.5) * block.stride


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", quality=_WEBP_QUALITY, method=4)
    return out.getvalue()


def _pack_block(
    block: BlockGraphs,
    size: tuple[int, int],
    pitch: int,
    stats: Mapping[str, GraphStats],
    streams: Streams,
) -> dict[str, Any]:
    """One block over an image of (H, W) pixels.

    The neighbours of the kept nodes are exact, their attention is rounded (:func:`attention_levels`); maps
    hold all nodes.
    """
    kept = KeptNodes.of(block, size, pitch)
    neighbours = {
        kind: neighbour_bits(kept, graph.colptr, graph.source, graph.positions)
        for kind, graph in block.graphs.items()
    }
    return {
        "name": block.name,
        "transform": block.transform,
        "stage": block.stage,
        "stride": block.stride,
        "shape": block.shape,
        "rows": kept.rows.tolist(),
        "columns": kept.columns.tolist(),
        "complexity": pack_values(block.crop(block.complexity, *size), block.stride, streams),
        "graphs": {
            kind: _pack_graph(block, graph, neighbours[kind], size, kept, streams)
            | {"stats": _pack_stats(stats[kind])}
            for kind, graph in block.graphs.items()
        },
        "layers": [_pack_layer(layer, neighbours[layer.graph.kind], kept, streams) for layer in block.layers],
    }


def _pack_graph(
    block: BlockGraphs,
    graph: GraphArrays,
    neighbours: NeighbourBits,
    size: tuple[int, int],
    kept: KeptNodes,
    streams: Streams,
) -> dict[str, Any]:
    of_kept = np.ix_(kept.rows, kept.columns)
    return {
        "reads": _pack_neighbours(neighbours, streams),
        "readers": _pack_readers(block, graph, kept, streams),
        "degree": pack_counts(block.crop(graph.degree, *size), block.stride, streams),
        "outDegree": pack_counts(block.crop(graph.out_degree, *size), block.stride, streams),
        "target": pack_values(graph.target_degree[of_kept], block.stride, streams),
        "isolated": np.flatnonzero(graph.isolated[of_kept]).tolist(),
    }


def _pack_neighbours(neighbours: NeighbourBits, streams: Streams) -> dict[str, Any]:
    return {
        "lines": [neighbours.rows.shape[1], neighbours.columns.shape[1]],
        "rowLines": streams.add_array(neighbours.rows),
        "columnLines": streams.add_array(neighbours.columns),
        "bits": streams.add_array(neighbours.bits),
    }


def _pack_readers(
    block: BlockGraphs, graph: GraphArrays, kept: KeptNodes, streams: Streams
) -> dict[str, Any]:
    """The nodes that attend to the kept nodes, and how much of its attention each of them spends on it.

    The weights are averaged over layers and heads: those of each would multiply the size of the page.
    """
    ptr, edges = graph.by_source
    readers = neighbour_bits(kept, ptr, graph.target[edges], graph.positions)
    packed = _pack_neighbours(readers, streams)
    if graph.kind not in block.mean_attention:
        return packed | {"weights": None}
    weights = block.mean_attention[graph.kind][edges[edges_of(ptr, kept.indices)]][readers.order]
    return packed | {"weights": streams.add_array(attention_levels(weights))}


def _pack_stats(stats: GraphStats) -> dict[str, Any]:
    return {
        "edges": stats.edges,
        "degree": stats.degree,
        "outDegree": [stats.out_degree_quantile(0.05), stats.out_degree_quantile(0.95)],
        "reciprocity": stats.reciprocity,
        "components": stats.components,
    }


def _pack_layer(
    layer: LayerAttention, neighbours: NeighbourBits, kept: KeptNodes, streams: Streams
) -> dict[str, Any]:
    weights = layer.weights(kept.nodes)
    counts = layer.graph.degree[np.ix_(kept.rows, kept.columns)].ravel()
    strongest = np.maximum.reduceat(weights, np.cumsum(counts) - counts, axis=0).repeat(counts, axis=0)
    levels = attention_levels(weights / strongest)[neighbours.order]
    return {
        "number": layer.number,
        "kind": layer.graph.kind,
        "heads": [streams.add_array(head) for head in levels.T],
    }


def attention_levels(shares: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Shares from 0 to 1 in a byte each, in eighths of octaves: 60 % and 0.6 % are equally precise.

    Weights of a node's neighbours are stored relative to its strongest, head by head. As they sum to 1, the
    page needs no scale to find them.
    """
    octaves = np.log2(np.maximum(shares, 2.0**-100))
    return np.maximum(np.round(octaves * LEVELS_PER_OCTAVE) + TOP_LEVEL, 0).astype(np.uint8)


def pack_values(values: NDArray[np.floating], stride: int, streams: Streams) -> dict[str, Any]:
    """A map of real numbers, rounded to a thousandth of its range.

    Args:
        values: (h, w), finite.
        stride: pixels per value, along each axis.
        streams: take the numbers in.
    """
    low, high = float(values.min()), float(values.max())
    levels = np.round((values - low) / ((high - low) or 1.0) * MAP_STEPS).astype(np.uint16)
    return _map(levels, low, (high - low) / MAP_STEPS, stride, streams)


def pack_counts(values: NDArray[np.integer], stride: int, streams: Streams) -> dict[str, Any]:
    """A map of whole numbers below 65536, exactly; arguments as of :func:`pack_values`."""
    return _map(values.astype(np.uint16), 0.0, 1.0, stride, streams)


def _map(
    levels: NDArray[np.uint16], low: float, step: float, stride: int, streams: Streams
) -> dict[str, Any]:
    rows, columns = levels.shape
    stream = streams.add_array(levels)
    return {"stream": stream, "rows": rows, "columns": columns, "stride": stride, "low": low, "step": step}


def block_means(values: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Means over squares of ``side`` pixels, smaller ones at the right and lower edge."""
    rows, columns = (np.arange(0, length, side) for length in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=0), columns, axis=1)
    heights, widths = (
        np.diff([*starts, length]) for starts, length in zip((rows, columns), values.shape, strict=True)
    )
    means: NDArray[np.float64] = sums / (heights[:, None] * widths)
    return means


def _pack_fields(fields: Fields, streams: Streams) -> dict[str, Any]:
    """Receptive fields on squares, in powers of ten relative to the strongest square of each.

    Those of trained weights are a peak on a wide plain; a linear scale, or a root, shows the peak alone.
    """
    side = 4
    while fields.maps.size / side**2 > FIELD_VALUES:
        side *= 2
    maps = np.stack([block_means(field, side) for field in fields.maps])
    shares = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), np.finfo(np.float64).tiny)
    levels = 1 + np.log10(np.maximum(shares, 10.0**-FIELD_DECADES)) / FIELD_DECADES
    return {
        "positions": fields.positions.tolist(),
        "side": side,
        "decades": FIELD_DECADES,
        "rows": maps.shape[1],
        "columns": maps.shape[2],
        "stream": streams.add_array(np.round(levels * 255).astype(np.uint8)),
    }
