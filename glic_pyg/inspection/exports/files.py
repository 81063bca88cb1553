"""Which files an export makes, by the suffix that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glic_pyg.inspection.exports.arrays import write_arrays
from glic_pyg.inspection.exports.networkx_graph import write_graphml
from glic_pyg.inspection.exports.parquet import write_edges, write_nodes
from glic_pyg.inspection.exports.pyg import as_hetero_data
from glic_pyg.inspection.graph_numbers import graph_numbers
from glic_pyg.inspection.inspection import Inspection

__all__ = ["EXPORT_SUFFIXES", "export_files"]

Writers = Mapping[Path, Callable[[Path], None]]

EXPORT_SUFFIXES = {
    ".npz": "everything as NumPy arrays",
    ".pt": "PyG HeteroData of every block, by its name, for torch.load",
    ".graphml": "GraphML, one file a graph",
    ".parquet": "two tables, of nodes and of edges",
    ".json": "the numbers of every graph",
}


def export_files(inspection: Inspection, path: Path) -> Writers:
    """What writes each file of an export.

    Args:
        inspection: what to export.
        path: a file name with one of :data:`EXPORT_SUFFIXES`; of several files it gives the beginning.

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
        return {path: partial(_write_numbers, inspection)}
    if path.suffix == ".parquet":
        tables = {"nodes": write_nodes, "edges": write_edges}
        return {path.with_suffix(f".{name}.parquet"): partial(w, inspection) for name, w in tables.items()}
    return {
        path.with_suffix(f".{block.name}.{kind}.graphml"): partial(write_graphml, block, kind)
        for block in inspection.blocks
        for kind in block.graphs
    }


def _write_data(inspection: Inspection, path: Path) -> None:
    torch.save({block.name: as_hetero_data(block) for block in inspection.blocks}, path)


def _write_numbers(inspection: Inspection, path: Path) -> None:
    found = {
        "picture": inspection.picture,
        "weights": inspection.weights,
        "quality": inspection.quality,
        "estimated_bits": inspection.bits.total,
        "mean_squared_error": float(inspection.error_map.mean(dtype=np.float64)),
        "graphs": [asdict(numbers) for numbers in graph_numbers(inspection)],
    }
    path.write_text(json.dumps(found, default=_plain, indent=1), encoding="utf-8")


def _plain(values: Any) -> Any:
    return values.tolist()
