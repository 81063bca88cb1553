import pytest
import torch

from glic_pyg.training.validation import pad_to_multiple


@pytest.mark.parametrize("size", [(1, 1), (16, 17), (33, 15), (32, 32)])
def test_edges_are_repeated(size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    padded = pad_to_multiple(x, 16)
    height, width = size
    assert padded.shape[-2] % 16 == padded.shape[-1] % 16 == 0
    assert padded.shape[-2] - height < 16 and padded.shape[-1] - width < 16
    assert torch.equal(padded[..., :height, :width], x)
    assert (padded[..., height:, width:] == x[..., -1:, -1:]).all()
