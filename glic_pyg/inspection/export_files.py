"""Export files of an inspection: NumPy, PyG, GraphML, Parquet and JSON, chosen by suffix."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np
import torch
from numpy.typing import NDArray

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.export import as_hetero_data, attention_columns, edge_columns, node_columns
from glic_pyg.inspection.graphs import GraphArrays, edges_of
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.stats import graph_stats

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "EXPORT_SUFFIXES",
    "export_files",
    "graphml_sizes",
    "write_arrays",
    "write_edges",
    "write_graphml",
    "write_nodes",
]

Columns = Mapping[str, NDArray[Any]]

EXPORT_SUFFIXES = {
    ".npz": "everything as NumPy arrays",
    ".pt": "PyG HeteroData of every block, by its name, for torch.load",
    ".graphml": "GraphML, one file a graph",
    ".parquet": "two tables, of nodes and of edges",
    ".json": "the statistics of every graph",
}

_SAMPLED_NODES = 200  # for the size of a GraphML file
_GRAPHML = "http://graphml.graphdrawing.org/xmlns"
_GRAPHML_TYPES = {"b": "boolean", "i": "long", "f": "double"}


def export_files(inspection: Inspection, path: Path) -> Mapping[Path, Callable[[Path], None]]:
    """A function that writes it for each file of an export.

    Args:
        inspection: what to export.
        path: a file name with one of :data:`EXPORT_SUFFIXES`; of several files it is the beginning.

    Raises:
        ValueError: the suffix is another one.
    """
    if path.suffix not in EXPORT_SUFFIXES:
        raise ValueError(f"There is no export to '{path.name}'; end it in {', '.join(EXPORT_SUFFIXES)}.")
    if path.suffix == ".npz":
        return {path: partial(write_arrays, inspection)}
    if path.suffix == ".pt":
        return {path: partial(_write_data, inspection)}
    if path.suffix == ".json":
        return {path: partial(_write_stats, inspection)}
    if path.suffix == ".parquet":
        tables = {"nodes": write_nodes, "edges": write_edges}
        return {path.with_suffix(f".{name}.parquet"): partial(w, inspection) for name, w in tables.items()}
    return {file: partial(write_graphml, *graph) for file, graph in _graphml_files(inspection, path).items()}


def graphml_sizes(inspection: Inspection, path: Path) -> Mapping[Path, int]:
    """About how many bytes each file of a GraphML export will have, by file name; empty for other suffixes.

    GraphML is text: an image of 192 x 192 pixels may take 250 MB, which one wants to know beforehand.
    """
    if path.suffix != ".graphml":
        return {}
    return {file: _graphml_size(*graph) for file, graph in _graphml_files(inspection, path).items()}


def _graphml_files(inspection: Inspection, path: Path) -> Mapping[Path, tuple[BlockGraphs, str]]:
    return {
        path.with_suffix(f".{block.name}.{kind}.graphml"): (block, kind)
        for block in inspection.blocks
        for kind in block.graphs
    }


def write_arrays(inspection: Inspection, path: Path) -> None:
    """Write all arrays as ``.npz``, which ``numpy.load`` reads, with one array in memory at a time.

    ``image``, ``decoded``, ``error``, ``bits/y``, ``bits/z``; of each block ``<block>/complexity`` and
    ``<block>/x``, its input (N, C); of each graph ``<block>/<kind>/`` and an attribute of
    :class:`GraphArrays`, or ``attention_<layer>_<head>``.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, values in _named_arrays(inspection):
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(values), allow_pickle=False)


def _named_arrays(inspection: Inspection) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from (("image", inspection.image), ("decoded", inspection.decoded), ("error", inspection.error_map))
    yield from (("bits/y", inspection.bits.y), ("bits/z", inspection.bits.z))
    for block in inspection.blocks:
        yield f"{block.name}/complexity", block.complexity
        yield f"{block.name}/x", block.features.float().cpu().numpy()
        for kind, graph in block.graphs.items():
            for name in (
                "positions",
                "colptr",
                "source",
                "offset",
                "similarity",
                "target_degree",
                "isolated",
            ):
                yield f"{block.name}/{kind}/{name}", getattr(graph, name)
            for name, weights in attention_columns(block, graph).items():
                yield f"{block.name}/{kind}/{name}", weights


def _write_data(inspection: Inspection, path: Path) -> None:
    torch.save({block.name: as_hetero_data(block) for block in inspection.blocks}, path)


def _write_stats(inspection: Inspection, path: Path) -> None:
    found = {
        "image": inspection.name,
        "weights": inspection.weights,
        "quality": inspection.quality,
        "estimated_bits": inspection.bits.total,
        "mean_squared_error": float(inspection.error_map.mean(dtype=np.float64)),
        "graphs": [asdict(stats) for stats in graph_stats(inspection)],
    }
    path.write_text(json.dumps(found, default=lambda array: array.tolist(), indent=1), encoding="utf-8")


def write_nodes(inspection: Inspection, path: Path) -> None:
    """A Parquet row for every node of every graph.

    Columns are ``block``, ``kind``, those of :func:`node_columns` and ``x``, the node's features, a list of
    zeros at padding nodes.

    Raises:
        ImportError: pyarrow is missing; it is in the extra ``parquet``. So with :func:`write_edges`.
    """
    _write_parquet(inspection, path, _nodes_with_features, {})


def _nodes_with_features(block: BlockGraphs, graph: GraphArrays) -> Columns:
    padding = len(graph.positions) - graph.num_real
    features = np.pad(block.features.float().cpu().numpy(), ((0, padding), (0, 0)))
    return {**node_columns(block, graph), "x": features}


def write_edges(inspection: Inspection, path: Path) -> None:
    """A Parquet row for every edge of every graph.

    Columns are ``block``, ``kind``, those of :func:`edge_columns` and ``attention_<layer>_<head>``, null
    where that layer attends along another graph.
    """
    import pyarrow

    layers = {layer.number: layer.heads for block in inspection.blocks for layer in block.layers}
    names = [f"attention_{number}_{head}" for number, heads in layers.items() for head in range(heads)]
    optional = dict.fromkeys(names, pyarrow.float32())
    _write_parquet(inspection, path, lambda b, g: edge_columns(g) | attention_columns(b, g), optional)


def _write_parquet(
    inspection: Inspection,
    path: Path,
    columns_of: Callable[[BlockGraphs, GraphArrays], Columns],
    optional: Mapping[str, pyarrow.DataType],
) -> None:
    """One graph after the other, each a row group; columns that a graph lacks are null."""
    from pyarrow import parquet

    writer = None
    try:
        for block in inspection.blocks:
            for graph in block.graphs.values():
                table = _table(block, graph.kind, columns_of(block, graph), optional)
                writer = writer or parquet.ParquetWriter(path, table.schema)
                writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _table(
    block: BlockGraphs, kind: str, columns: Columns, optional: Mapping[str, pyarrow.DataType]
) -> pyarrow.Table:
    import pyarrow

    length = len(next(iter(columns.values())))
    names = {name: pyarrow.array([name] * length).dictionary_encode() for name in (block.name, kind)}
    found = {"block": names[block.name], "kind": names[kind]}
    found |= {name: _parquet_column(values) for name, values in columns.items() if name not in optional}
    for name, data_type in optional.items():
        there = name in columns
        found[name] = pyarrow.array(columns[name]) if there else pyarrow.nulls(length, data_type)
    return pyarrow.table(found)


def _parquet_column(values: NDArray[Any]) -> pyarrow.Array:
    """An array of numbers, or of lists where there are two axes."""
    import pyarrow

    if values.ndim == 1:
        return pyarrow.array(values)
    starts = pyarrow.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1])
    return pyarrow.ListArray.from_arrays(starts, pyarrow.array(values.ravel()))


def write_graphml(block: BlockGraphs, kind: str, path: Path) -> None:
    """The graph of :func:`as_networkx` as GraphML, written line by line.

    Not by ``networkx.write_graphml``, which needs the graph in memory, about 1 KB per edge.
    """
    graph = block.graphs[kind]
    nodes, edges = node_columns(block, graph), edge_columns(graph) | attention_columns(block, graph)
    with path.open("w", encoding="utf-8") as out:
        out.write(_graphml_head(block, kind, nodes, edges))
        out.writelines(_graphml_nodes(nodes))
        out.writelines(_graphml_edges(edges))
        out.write("</graph>\n</graphml>\n")


def _graphml_size(block: BlockGraphs, kind: str) -> int:
    """Estimated from the lines of some nodes and of the edges into them."""
    graph = block.graphs[kind]
    sample = np.linspace(0, graph.num_real - 1, min(_SAMPLED_NODES, graph.num_real)).astype(np.int64)
    nodes = {name: values[sample] for name, values in node_columns(block, graph).items()}
    kept = edges_of(graph.colptr, sample)
    edges = {name: values[kept] for name, values in edge_columns(graph).items()}
    for layer in block.layers:
        if layer.graph is graph:
            weights = layer.weights([divmod(int(node), graph.shape[1]) for node in sample])
            edges |= {f"attention_{layer.number}_{head}": column for head, column in enumerate(weights.T)}
    node_size = sum(map(len, _graphml_nodes(nodes))) / len(sample)
    edge_size = sum(map(len, _graphml_edges(edges))) / len(kept)
    head = len(_graphml_head(block, kind, nodes, edges))
    return round(head + node_size * len(graph.positions) + edge_size * len(graph.source))


def _graphml_head(block: BlockGraphs, kind: str, nodes: Columns, edges: Columns) -> str:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<graphml xmlns="{_GRAPHML}">']
    for what, columns in (("node", nodes), ("edge", edges)):
        for number, (name, values) in enumerate(columns.items()):
            value_type = _GRAPHML_TYPES[values.dtype.kind]
            key = f'<key id="{what[0]}{number}" for="{what}" attr.name="{name}" attr.type="{value_type}"/>'
            lines += [key] if name not in ("source", "target") else []
    return "\n".join([*lines, f'<graph id={quoteattr(f"{block.name}/{kind}")} edgedefault="directed">', ""])


def _graphml_nodes(columns: Columns) -> Iterator[str]:
    for index, row in enumerate(zip(*columns.values(), strict=True)):
        yield f'<node id="{index}">{_graphml_data("n", 0, row)}</node>\n'


def _graphml_edges(columns: Columns) -> Iterator[str]:
    for source, target, *row in zip(*columns.values(), strict=True):
        yield f'<edge source="{source}" target="{target}">{_graphml_data("e", 2, row)}</edge>\n'


def _graphml_data(what: str, first: int, row: Sequence[np.generic]) -> str:
    return "".join(f'<data key="{what}{key}">{_text(value)}</data>' for key, value in enumerate(row, first))


def _text(value: np.generic) -> str:
    return str(value).lower() if isinstance(value, np.bool_) else str(value)
