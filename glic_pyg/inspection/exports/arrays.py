"""Everything as one file of NumPy arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.exports.columns import attention_of
from glic_pyg.inspection.inspection import Inspection

__all__ = ["named_arrays", "write_arrays"]


def write_arrays(inspection: Inspection, path: Path) -> None:
    """Write :func:`named_arrays` as ``.npz``, which ``numpy.load`` reads, one array in memory at a time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, values in named_arrays(inspection):
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(values), allow_pickle=False)


def named_arrays(inspection: Inspection) -> Iterator[tuple[str, NDArray[Any]]]:
    """All arrays of an inspection by name.

    ``photo``, ``decoded``, ``error``, ``bits/y``, ``bits/z``; of each block ``<block>/complexity``; of each
    graph ``<block>/<kind>/`` and an attribute of :class:`GraphArrays`, or ``attention_<layer>_<head>``.
    """
    yield from (("photo", inspection.photo), ("decoded", inspection.decoded), ("error", inspection.error_map))
    yield from (("bits/y", inspection.bits.y), ("bits/z", inspection.bits.z))
    for block in inspection.blocks:
        yield f"{block.name}/complexity", block.complexity
        for kind, graph in block.graphs.items():
            for name in ("positions", "first", "source", "offset", "similarity", "target_degree", "lonely"):
                yield f"{block.name}/{kind}/{name}", getattr(graph, name)
            for name, weights in attention_of(block, graph).items():
                yield f"{block.name}/{kind}/{name}", weights
