"""Packed neighbours, read as the page reads them."""

import numpy as np
import pytest

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.graphs import GraphArrays
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.page.neighbours import NOWHERE, KeptNodes, neighbour_bits


def neighbours_in_bits(graph: GraphArrays, kept: KeptNodes) -> list[list[tuple[int, int]]]:
    """Read the packed form as the page does."""
    packed, found = neighbour_bits(graph, kept), []
    across = packed.columns.shape[1]
    for i in range(len(kept.rows)):
        for j in range(len(kept.columns)):
            bits = np.unpackbits(packed.bits[i * len(kept.columns) + j])
            crossings = np.flatnonzero(bits)
            found.append(
                [(int(packed.rows[i, c // across]), int(packed.columns[j, c % across])) for c in crossings]
            )
    return found


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("pitch", [4, 16, 64])
def test_bits_are_the_neighbours(inspection: Inspection, kind: str, pitch: int) -> None:
    block = inspection.block("g_a stage 1")
    kept = KeptNodes.of(block, (130, 200), pitch)
    expected = [sorted(map(tuple, block.graphs[kind].neighbours(place).tolist())) for place in kept.nodes]
    assert neighbours_in_bits(block.graphs[kind], kept) == expected


def test_edges_are_in_the_order_of_the_bits(graphs: BlockGraphs) -> None:
    graph, kept = graphs.graphs["mesh"], KeptNodes.of(graphs, (130, 200), 32)
    places = np.concatenate([graph.neighbours(place) for place in kept.nodes])
    ordered = places[neighbour_bits(graph, kept).order]
    in_bits = [place for node in neighbours_in_bits(graph, kept) for place in node]
    assert [tuple(place) for place in ordered.tolist()] == in_bits


def test_windows_and_meshes_need_one_bit_a_candidate(graphs: BlockGraphs) -> None:
    for graph in graphs.graphs.values():
        packed = neighbour_bits(graph, KeptNodes.of(graphs, (256, 256), 8))
        assert packed.rows.shape[1] <= 16 and packed.columns.shape[1] <= 16
        assert packed.bits.shape == (32 * 32, 32)
        assert (np.diff(packed.rows.astype(int), axis=1)[packed.rows[:, 1:] != NOWHERE] > 0).all()


def test_kept_nodes_lie_one_in_every_square_over_the_image(inspection: Inspection) -> None:
    kept = KeptNodes.of(inspection.block("g_a stage 1"), (130, 200), 16)
    assert kept.rows.tolist() == [2, 6, 10, 14, 18, 22, 26, 30]  # of 33 rows of 4 pixels
    assert len(kept.columns) == 12 and kept.width == 64
    assert kept.nodes[1] == (2, 6) and kept.indices[1] == 2 * 64 + 6
    assert KeptNodes.of(inspection.block("g_a stage 1"), (130, 200), 4096).nodes == [(32, 49)]
