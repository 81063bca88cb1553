"""Export files read back."""

from pathlib import Path

import numpy as np
import pytest

from glic_pyg.inspection.export_files import write_arrays, write_edges, write_nodes
from glic_pyg.inspection.inspect import Inspection


def test_everything_comes_back(inspection: Inspection, tmp_path: Path) -> None:
    write_arrays(inspection, tmp_path / "noise.npz")
    with np.load(tmp_path / "noise.npz") as file:
        assert np.array_equal(file["image"], inspection.image)
        assert np.array_equal(file["bits/z"], inspection.bits.z)
        for block in inspection.blocks:
            assert np.array_equal(file[f"{block.name}/complexity"], block.complexity)
            for kind, graph in block.graphs.items():
                for name in ("colptr", "source", "similarity", "positions", "target_degree"):
                    assert np.array_equal(file[f"{block.name}/{kind}/{name}"], getattr(graph, name))
        weights = inspection.blocks[0].layers[0].weights()
        assert np.array_equal(file["g_a.blocks.1/local/attention_0_1"], weights[:, 1])


parquet = pytest.importorskip("pyarrow.parquet")


def test_edges_of_all_graphs(inspection: Inspection, tmp_path: Path) -> None:
    write_edges(inspection, tmp_path / "edges.parquet")
    filters = [("block", "=", "g_s.blocks.0"), ("kind", "=", "mesh")]
    table = parquet.read_table(tmp_path / "edges.parquet", filters=filters)
    block = inspection.block("g_s.blocks.0")
    assert np.array_equal(table["source"], block.graphs["mesh"].source)
    assert np.array_equal(table["attention_1_0"], block.layers[1].weights()[:, 0])
    assert table["attention_0_0"].null_count == len(table)
    rows = parquet.read_metadata(tmp_path / "edges.parquet").num_rows
    assert rows == sum(len(graph.source) for b in inspection.blocks for graph in b.graphs.values())


def test_nodes_of_all_graphs(inspection: Inspection, tmp_path: Path) -> None:
    write_nodes(inspection, tmp_path / "nodes.parquet")
    filters = [("block", "=", "g_a.blocks.1"), ("kind", "=", "local"), ("padding", "=", False)]
    table = parquet.read_table(tmp_path / "nodes.parquet", filters=filters)
    block = inspection.block("g_a.blocks.1")
    assert np.array_equal(table["degree"], block.graphs["local"].degree.ravel())
    assert np.allclose(table["complexity"], block.complexity.ravel())
