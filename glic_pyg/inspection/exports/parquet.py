"""Collected graphs as tables of nodes and of edges, for data frames and databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.exports.columns import attention_of, edge_columns, node_columns
from glic_pyg.inspection.graph_arrays import GraphArrays
from glic_pyg.inspection.inspection import Inspection

if TYPE_CHECKING:
    import pyarrow

__all__ = ["write_edges", "write_nodes"]

Columns = Mapping[str, NDArray[Any]]


def write_nodes(inspection: Inspection, path: Path) -> None:
    """A row for every node of every graph: ``block``, ``kind`` and the columns of ``columns.node_columns``.

    Raises:
        ImportError: pyarrow is missing; it is in the extra ``parquet``. So with :func:`write_edges`.
    """
    _write(inspection, path, node_columns, {})


def write_edges(inspection: Inspection, path: Path) -> None:
    """A row for every edge of every graph.

    Columns are ``block``, ``kind``, ``source``, ``target``, ``similarity`` and ``attention_<layer>_<head>``,
    null where that layer attends along another graph.
    """
    import pyarrow

    layers = {layer.number: layer.heads for block in inspection.blocks for layer in block.layers}
    names = [f"attention_{number}_{head}" for number, heads in layers.items() for head in range(heads)]
    _write(inspection, path, _edges, dict.fromkeys(names, pyarrow.float32()))


def _edges(block: BlockGraphs, graph: GraphArrays) -> Columns:
    return edge_columns(graph) | dict(attention_of(block, graph))


def _write(
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
    found |= {name: pyarrow.array(values) for name, values in columns.items() if name not in optional}
    for name, data_type in optional.items():
        there = name in columns
        found[name] = pyarrow.array(columns[name]) if there else pyarrow.nulls(length, data_type)
    return pyarrow.table(found)
