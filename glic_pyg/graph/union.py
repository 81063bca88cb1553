"""Union of the local and the mesh graph of a map."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.window_graph import WindowGraph, points

EDGE_KINDS = ("local", "mesh")


def union_data(graphs: Mapping[str, WindowGraph], x: Tensor | None = None) -> Data:
    """Join the two graphs that :func:`glic_pyg.graph.build_graphs` returns.

    An edge that both graphs have is kept once, with the offset it has in the local one. Padding
    nodes of both graphs at the same position are one node.

    Args:
        graphs: ``{"local", "mesh"}`` over the same maps.
        x: optional ``(B, C, H, W)`` map whose nodes become ``data.x``.

    Returns:
        ``Data``, for each image the real nodes row-major, then the padding nodes row-major: ``edge_index``
        (2, E) sorted by target, then source; ``edge_attr`` (E, 2) int64 lattice offsets; ``edge_kind``
        (E,) int64 into :data:`EDGE_KINDS`; ``edge_cell`` (E,) cell in the graph of that kind; ``pos``;
        ``degree`` (nodes,) int64, the edges that a node has; ``target_degree`` and ``cell`` (nodes, 2), one
        column a kind; ``padding`` bool; ``batch`` and ``ptr``.

    Raises:
        ValueError: if the graphs are not over the same maps, or ``x`` does not fit them.
    """
    _check(graphs)
    parts = [graphs[kind].to_data(x) for kind in EDGE_KINDS]
    ids, outside = _merge([graphs[kind] for kind in EDGE_KINDS])
    batch, cells = graphs["local"].batch_size, graphs["local"].cells
    positions = torch.cat([cells.positions[: cells.num_real], outside])
    nodes, device = len(positions), positions.device
    edge_index = torch.cat([_renumber(d.edge_index, i, nodes) for d, i in zip(parts, ids, strict=True)], 1)
    kept = _first_of_each(edge_index, batch * nodes)
    counts = torch.tensor([d.num_edges for d in parts], device=device)
    data = Data(
        edge_index=edge_index[:, kept],
        edge_attr=torch.cat([d.edge_attr for d in parts])[kept],
        edge_kind=torch.arange(len(parts), device=device).repeat_interleave(counts)[kept],
        edge_cell=torch.cat([d.edge_cell for d in parts])[kept],
        pos=points(positions).repeat(batch, 1),
        degree=torch.bincount(edge_index[1, kept], minlength=batch * nodes),
        padding=(torch.arange(nodes, device=device) >= cells.num_real).repeat(batch),
        batch=torch.arange(batch, device=device).repeat_interleave(nodes),
        ptr=torch.arange(batch + 1, device=device) * nodes,
        num_nodes=batch * nodes,
    )
    for name, missing in (("target_degree", 0), ("cell", -1)):
        columns = [_real_rows(d[name], batch, cells.num_real, nodes, missing) for d in parts]
        data[name] = torch.stack(columns, -1)
    if x is not None:
        data.x = _real_rows(parts[0].x, batch, cells.num_real, nodes, 0)
    data.kind, data.height, data.width = "union", cells.height, cells.width
    return data


def _check(graphs: Mapping[str, WindowGraph]) -> None:
    if missing := [kind for kind in EDGE_KINDS if kind not in graphs]:
        raise ValueError(f"a union needs a local and a mesh graph: {' and '.join(missing)} is missing")
    shapes = [(g.batch_size, g.cells.height, g.cells.width) for g in (graphs[kind] for kind in EDGE_KINDS)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"a union needs two graphs over the same maps, "
            f"got (batch, height, width) {shapes[0]} and {shapes[1]}"
        )


def _merge(graphs: list[WindowGraph]) -> tuple[list[Tensor], Tensor]:
    """New id of every node of each graph, and the ``(P, 2)`` positions of the padding nodes of all."""
    outside = [g.cells.positions[g.cells.num_real : g.num_nodes] for g in graphs]
    padding, inverse = torch.unique(torch.cat(outside), dim=0, return_inverse=True)
    real = torch.arange(graphs[0].cells.num_real, device=padding.device)
    return [torch.cat([real, len(real) + i]) for i in inverse.split([len(o) for o in outside])], padding


def _renumber(edge_index: Tensor, ids: Tensor, nodes: int) -> Tensor:
    return ids[edge_index % len(ids)] + edge_index // len(ids) * nodes


def _first_of_each(edge_index: Tensor, nodes: int) -> Tensor:
    """Places of the different edges, sorted by target, then source; the first place of equal ones."""
    key, order = torch.sort(edge_index[1] * nodes + edge_index[0], stable=True)
    new = torch.ones_like(key, dtype=torch.bool)
    new[1:] = key[1:] != key[:-1]
    return order[new]


def _real_rows(values: Tensor, batch: int, real: int, nodes: int, missing: int) -> Tensor:
    """Per-node values of a graph for the union's nodes; its padding nodes get ``missing``."""
    values = values.unflatten(0, (batch, -1))
    out = values.new_full((batch, nodes, *values.shape[2:]), missing)
    out[:, :real] = values[:, :real]
    return out.flatten(0, 1)
