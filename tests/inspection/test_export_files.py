"""Export files read back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.nn import GATv2Conv, HeteroConv

from glic_pyg.inspection.export_files import export_files, write_arrays, write_edges, write_nodes
from glic_pyg.inspection.inspect import Inspection


def test_everything_comes_back(inspection: Inspection, tmp_path: Path) -> None:
    write_arrays(inspection, tmp_path / "noise.npz")
    with np.load(tmp_path / "noise.npz") as file:
        assert np.array_equal(file["image"], inspection.image)
        assert np.array_equal(file["bits/z"], inspection.bits.z)
        for block in inspection.blocks:
            assert np.array_equal(file[f"{block.name}/complexity"], block.complexity)
            assert np.array_equal(file[f"{block.name}/x"], block.features)
            for kind, graph in block.graphs.items():
                for name in ("colptr", "source", "offset", "similarity", "positions", "target_degree"):
                    assert np.array_equal(file[f"{block.name}/{kind}/{name}"], getattr(graph, name))
        weights = inspection.blocks[0].layers[0].weights()
        assert np.array_equal(file["g_a.blocks.1/local/attention_0_1"], weights[:, 1])


def test_a_layer_of_pyg_learns_on_an_export(inspection: Inspection, tmp_path: Path) -> None:
    """The complexity of the nodes from their features and neighbours, by GATv2 with offsets."""
    torch.manual_seed(0)
    for path, write in export_files(inspection, tmp_path / "graphs.pt").items():
        write(path)
    data = torch.load(tmp_path / "graphs.pt", weights_only=False)["g_a.blocks.2"]
    kinds = [("node", kind, "node") for kind in ("local", "mesh")]
    model = HeteroConv({kind: GATv2Conv(-1, 1, edge_dim=2, add_self_loops=False) for kind in kinds})
    offsets = {kind: data[kind].edge_attr.float() for kind in kinds}
    wanted = data["node"].complexity[:, None]
    with torch.no_grad():
        model(data.x_dict, data.edge_index_dict, offsets)  # sizes of the layers
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for _ in range(8):
        loss = (model(data.x_dict, data.edge_index_dict, offsets)["node"] - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_edges_of_all_graphs(inspection: Inspection, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
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
    parquet = pytest.importorskip("pyarrow.parquet")
    write_nodes(inspection, tmp_path / "nodes.parquet")
    filters = [("block", "=", "g_a.blocks.1"), ("kind", "=", "local"), ("padding", "=", False)]
    table = parquet.read_table(tmp_path / "nodes.parquet", filters=filters)
    block = inspection.block("g_a.blocks.1")
    assert np.array_equal(table["degree"], block.graphs["local"].degree.ravel())
    assert np.array_equal(np.stack(table["x"].to_numpy()), block.features)
    assert np.allclose(table["complexity"], block.complexity.ravel())
