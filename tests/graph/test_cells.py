from __future__ import annotations

import pytest
import torch

from glic_pyg.graph import Cells, local_cells, mesh_cells

MAKERS = {"local": local_cells, "mesh": mesh_cells}


@pytest.fixture(params=MAKERS)
def cells(request: pytest.FixtureRequest, size: tuple[int, int]) -> Cells:
    return MAKERS[request.param](*size)


def test_every_node_of_the_map_is_in_one_cell(cells: Cells) -> None:
    assert cells.nodes[cells.real].sort().values.tolist() == list(range(cells.num_real))
    assert cells.tiled == (cells.height % 8 == 0 and cells.width % 8 == 0) or cells.kind == "mesh"


def test_every_node_is_its_own_candidate(cells: Cells) -> None:
    own = (cells.nodes[:, :, None] == cells.candidates[:, None, :]).sum(-1)
    assert (own[cells.real] == 1).all()


def test_candidates_of_a_cell_differ(cells: Cells) -> None:
    assert all(len(row.unique()) == row.numel() for row in cells.candidates)


def test_positions_number_real_nodes_row_major_and_padding_nodes_outside(cells: Cells) -> None:
    ids = torch.arange(cells.num_real)
    real, padding = cells.positions.split([cells.num_real, cells.num_nodes - cells.num_real])
    assert torch.equal(real, torch.stack([ids // cells.width, ids % cells.width], -1))
    inside = (padding >= 0).all(-1) & (padding < torch.tensor([cells.height, cells.width])).all(-1)
    assert not inside.any()
    assert len(padding.unique(dim=0)) == len(padding)


def test_local_window_is_centred_on_its_cell() -> None:
    cells = local_cells(16, 24)
    for i in range(2):
        for j in range(3):
            at = cells.positions[cells.candidates[3 * i + j]].view(16, 16, 2)
            assert at[0, 0].tolist() == [8 * i - 4, 8 * j - 4]
            assert at[15, 15].tolist() == [8 * i + 11, 8 * j + 11]
            assert cells.positions[cells.nodes[3 * i + j]][9].tolist() == [8 * i + 1, 8 * j + 1]


def test_mesh_cell_is_strided_over_the_whole_map() -> None:
    cells, n_h, n_w = mesh_cells(32, 48), 4, 6
    for i in range(n_h):
        for j in range(n_w):
            nodes = cells.positions[cells.nodes[n_w * i + j]]
            rows, columns = range(i, 32, n_h), range(j, 48, n_w)
            assert nodes.tolist() == [[r, c] for r in rows for c in columns]
            candidates = cells.positions[cells.candidates[n_w * i + j]]
            rows, columns = range(i % (n_h // 2), 32, n_h // 2), range(j % (n_w // 2), 48, n_w // 2)
            assert candidates.tolist() == [[r, c] for r in rows for c in columns]


def test_offsets_of_local_cells_are_displacement_plus_four() -> None:
    cells = local_cells(16, 16)
    displacement = cells.positions[cells.candidates][:, None] - cells.positions[cells.nodes][:, :, None]
    assert torch.equal(displacement + 4, cells.lattice_offsets().expand_as(displacement))
    assert (cells.lattice_offsets().amin(), cells.lattice_offsets().amax()) == (-7, 15)


@pytest.mark.parametrize("make", MAKERS.values())
@pytest.mark.parametrize("size", [(0, 4), (4, -1)])
def test_an_empty_map_is_refused(make, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one row"):
        make(*size)


@pytest.mark.parametrize("make", MAKERS.values())
def test_a_window_that_does_not_fit_the_cell_is_refused(make) -> None:
    with pytest.raises(ValueError, match="window"):
        make(16, 16, cell_side=8, window_side=13)
