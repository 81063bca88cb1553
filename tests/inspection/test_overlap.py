"""Edges in common."""

import numpy as np
import pytest
import torch

from glic_pyg.graph import GraphBuilder
from glic_pyg.inspection.graph_arrays import GraphArrays, graph_arrays
from glic_pyg.inspection.inspection import Inspection, inspect_picture
from glic_pyg.inspection.overlap import overlap, overlaps
from glic_pyg.models.glic import GLIC


def graph(seed: int, kind: str = "local", shape: tuple[int, int] = (13, 21)) -> GraphArrays:
    x = torch.randn(1, 6, *shape, generator=torch.Generator().manual_seed(seed))
    return graph_arrays(GraphBuilder()(x)[kind], x)


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_common_edges_counted_one_by_one(kind: str) -> None:
    one, other = graph(1, kind), graph(2, kind)
    edges = [set(zip(g.source.tolist(), g.target.tolist(), strict=True)) for g in (one, other)]
    found = overlap(one, other)
    assert found.jaccard == pytest.approx(len(edges[0] & edges[1]) / len(edges[0] | edges[1]))
    mine = [{source for source, target in kept if target == 3 * 21 + 4} for kept in edges]
    assert found.per_node[3, 4] == pytest.approx(len(mine[0] & mine[1]) / len(mine[0] | mine[1]))


def test_a_graph_has_all_in_common_with_itself() -> None:
    assert overlap(graph(1), graph(1)).jaccard == 1 and (overlap(graph(1), graph(1)).per_node == 1).all()


def test_two_kinds_or_sizes_do_not_compare() -> None:
    with pytest.raises(ValueError, match="one kind and one size"):
        overlap(graph(1), graph(1, "mesh"))
    with pytest.raises(ValueError, match="one kind and one size"):
        overlap(graph(1), graph(1, shape=(16, 16)))


def test_all_graphs_of_two_precisions(inspection: Inspection, tiny_glic: GLIC) -> None:
    low = inspect_picture(tiny_glic, inspection.photo, precision="bf16", layers=())
    found = overlaps(inspection, low)
    assert set(found) == {(b.title, kind) for b in inspection.blocks for kind in ("local", "mesh")}
    assert all(0.5 < each.jaccard <= 1 for each in found.values())
    assert min(each.jaccard for each in found.values()) < 1
    assert np.isfinite([each.per_node for each in found.values() if each.common.shape == (32, 32)]).all()
