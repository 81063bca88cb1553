"""A collected graph for NetworkX, and as GraphML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.exports.columns import attention_of, edge_columns, node_columns

if TYPE_CHECKING:
    import networkx

__all__ = ["as_networkx", "write_graphml"]

Columns = Mapping[str, NDArray[Any]]
_TYPES = {"b": "boolean", "i": "long", "f": "double"}
_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def as_networkx(block: BlockGraphs, kind: str) -> networkx.DiGraph:
    """One graph of a block, edges pointing from a neighbour to the node that reads it.

    Nodes have the attributes of ``columns.node_columns``, edges ``similarity`` and
    ``attention_<layer>_<head>``, all of Python's own types. An edge takes about 1 KB of memory: for
    large maps take GraphML or arrays.
    """
    import networkx

    nodes, ends, edges = _columns(block, kind)
    graph = networkx.DiGraph(block=block.name, kind=kind, stride=block.stride)
    graph.add_nodes_from(enumerate(_records(nodes)))
    graph.add_edges_from((*pair, record) for pair, record in zip(ends.tolist(), _records(edges), strict=True))
    return graph


def write_graphml(block: BlockGraphs, kind: str, path: Path) -> None:
    """The graph of :func:`as_networkx` as GraphML, line by line, so that memory does not grow with it."""
    nodes, ends, edges = _columns(block, kind)
    with path.open("w", encoding="utf-8") as out:
        out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="{_NAMESPACE}">\n')
        for what, columns in (("node", nodes), ("edge", edges)):
            out.writelines(_key(what, name, values) for name, values in columns.items())
        out.write(f'<graph id={quoteattr(f"{block.name}/{kind}")} edgedefault="directed">\n')
        for number, data in enumerate(_data("node", nodes)):
            out.write(f'<node id="{number}">{data}</node>\n')
        for (source, target), data in zip(ends, _data("edge", edges), strict=True):
            out.write(f'<edge source="{source}" target="{target}">{data}</edge>\n')
        out.write("</graph>\n</graphml>\n")


def _columns(block: BlockGraphs, kind: str) -> tuple[Columns, NDArray[np.int32], Columns]:
    """Columns of the nodes, (E, 2) sources and targets, other columns of the edges."""
    graph = block.graphs[kind]
    edges = edge_columns(graph) | dict(attention_of(block, graph))
    ends = np.stack([edges.pop("source"), edges.pop("target")], axis=1)
    return node_columns(block, graph), ends, edges


def _records(columns: Columns) -> Iterator[dict[str, Any]]:
    """One dictionary of Python numbers a row."""
    lists = [values.tolist() for values in columns.values()]
    return (dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True))


def _key(what: str, name: str, values: NDArray[Any]) -> str:
    kind = _TYPES[values.dtype.kind]
    return f'<key id="{what}_{name}" for="{what}" attr.name="{name}" attr.type="{kind}"/>\n'


def _data(what: str, columns: Columns) -> Iterator[str]:
    """The ``<data>`` elements of one row after the other."""
    for row in zip(*columns.values(), strict=True):
        values = zip(columns, row, strict=True)
        yield "".join(f'<data key="{what}_{name}">{_text(value)}</data>' for name, value in values)


def _text(value: np.generic) -> str:
    return str(value).lower() if isinstance(value, np.bool_) else str(value)
