"""Packed neighbours, read as the page reads them."""

from collections.abc import Callable

import numpy as np
import pytest

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.graphs import GraphArrays
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.page.neighbours import NOWHERE, KeptNodes, NeighbourBits, neighbour_bits


def reads(graph: GraphArrays, kept: KeptNodes) -> NeighbourBits:
    """The nodes that kept nodes attend to."""
    return neighbour_bits(kept, graph.colptr, graph.source, graph.positions)


def readers(graph: GraphArrays, kept: KeptNodes) -> NeighbourBits:
    """The nodes that attend to kept nodes."""
    ptr, edges = graph.by_source
    return neighbour_bits(kept, ptr, graph.target[edges], graph.positions)


def unpacked(packed: NeighbourBits, kept: KeptNodes) -> list[list[tuple[int, int]]]:
    """Read the packed form as the page does."""
    found = []
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
    assert unpacked(reads(block.graphs[kind], kept), kept) == expected


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("pitch", [8, 64])
def test_bits_are_the_readers(inspection: Inspection, kind: str, pitch: int) -> None:
    block = inspection.block("g_a stage 2")
    graph, kept = block.graphs[kind], KeptNodes.of(block, (130, 200), pitch)
    expected: list[list[tuple[int, ...]]] = [[] for _ in range(graph.num_real)]
    for source, target in graph.edge_index.T.tolist():
        if source < graph.num_real:
            expected[source].append(divmod(target, block.shape[1]))
    assert unpacked(readers(graph, kept), kept) == [sorted(expected[index]) for index in kept.indices]


def test_edges_are_in_the_order_of_the_bits(graphs: BlockGraphs) -> None:
    graph, kept = graphs.graphs["mesh"], KeptNodes.of(graphs, (130, 200), 32)
    places = np.concatenate([graph.neighbours(place) for place in kept.nodes])
    ordered = places[reads(graph, kept).order]
    in_bits = [place for node in unpacked(reads(graph, kept), kept) for place in node]
    assert [tuple(place) for place in ordered.tolist()] == in_bits


@pytest.mark.parametrize("pack", [reads, readers])
def test_windows_and_meshes_need_one_bit_per_candidate(
    graphs: BlockGraphs, pack: Callable[[GraphArrays, KeptNodes], NeighbourBits]
) -> None:
    for graph in graphs.graphs.values():
        packed = pack(graph, KeptNodes.of(graphs, (130, 200), 8))
        assert packed.rows.shape[1] <= 18 and packed.columns.shape[1] <= 18  # a window, or a mesh
        assert packed.bits.shape[0] == 17 * 25 and packed.bits.shape[1] <= -(-18 * 18 // 8)
        assert (np.diff(packed.rows.astype(int), axis=1)[packed.rows[:, 1:] != NOWHERE] > 0).all()


def test_kept_nodes_lie_one_in_every_square_over_the_image(inspection: Inspection) -> None:
    kept = KeptNodes.of(inspection.block("g_a stage 1"), (130, 200), 16)
    assert kept.rows.tolist() == [2, 6, 10, 14, 18, 22, 26, 30]  # of 33 rows of 4 pixels
    assert len(kept.columns) == 12 and kept.width == 52
    assert kept.nodes[1] == (2, 6) and kept.indices[1] == 2 * 52 + 6
    assert KeptNodes.of(inspection.block("g_a stage 1"), (130, 200), 4096).nodes == [(32, 49)]
