import pytest
import torch
from compressai.latent_codecs import CheckerboardLatentCodec
from torch import nn

from glic_pyg.models.checkerboard import SecondHalfContext, SpatialContext


@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (2, 5, 8, 12), (1, 3, 4, 20)])
def test_the_second_half_asks_the_first(shape: tuple[int, ...]) -> None:
    """What the masked convolution of the whole checkerboard says at the second half."""
    context = SpatialContext(shape[1], 2 * shape[1], kernel_size=5, padding=2).double()
    codec = CheckerboardLatentCodec({"y": nn.Identity()}, context, nn.Identity())
    y_hat = torch.randn(shape, dtype=torch.float64)
    expected = codec.unembed(context(y_hat))[1]
    with torch.no_grad():
        assert torch.allclose(SecondHalfContext(context)(codec.unembed(y_hat)[0]), expected, atol=1e-13)
