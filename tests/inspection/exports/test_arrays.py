from pathlib import Path

import numpy as np

from glic_pyg.inspection.exports.arrays import write_arrays
from glic_pyg.inspection.inspection import Inspection


def test_everything_comes_back(inspection: Inspection, tmp_path: Path) -> None:
    write_arrays(inspection, tmp_path / "noise.npz")
    with np.load(tmp_path / "noise.npz") as file:
        assert np.array_equal(file["photo"], inspection.photo)
        assert np.array_equal(file["bits/z"], inspection.bits.z)
        for block in inspection.blocks:
            assert np.array_equal(file[f"{block.name}/complexity"], block.complexity)
            for kind, graph in block.graphs.items():
                for name in ("first", "source", "similarity", "positions", "target_degree"):
                    assert np.array_equal(file[f"{block.name}/{kind}/{name}"], getattr(graph, name))
        weights = inspection.blocks[0].layers[0].weights()
        assert np.array_equal(file["g_a.blocks.1/local/attention_0_1"], weights[:, 1])
