"""q_theta aligned with the hyperprior codec: no context, all samples independent given x_hat."""

from __future__ import annotations

from torch import Tensor, nn

from glic_pyg.source.conv_stack import conv_stack, start_at_zero
from glic_pyg.source.source_model import SourceModel


class HyperpriorSource(SourceModel):
    """Design (a) of arXiv 2411.16727, Fig. 3: an h_s of three convolutions straight to the parameters.

    Layers are ours (bmshj2018's three layers and ReLU). Cells of 4 pixels rather than the 16 of the latents'
    grid: without context nothing gains from many channels, and small cells share weights between more pixels.

    Args:
        width: N, channels of the inner layers.
        patch: side of a cell in pixels.
    """

    def __init__(self, width: int = 192, patch: int = 4) -> None:
        super().__init__(patch)
        channels = self.grid.channels
        self.trunk = start_at_zero(conv_stack((channels, width, width, 2 * channels), 3, nn.ReLU))

    def predict(self, error: Tensor, x_hat: Tensor) -> Tensor:
        return self.trunk(x_hat)
