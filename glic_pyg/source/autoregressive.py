"""q_theta aligned with the autoregressive codec: earlier cells in raster order as context."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glic_pyg.models.checkerboard import CausalContext
from glic_pyg.source.conv_stack import conv_stack, start_at_zero
from glic_pyg.source.source_model import SourceModel


class AutoregressiveSource(SourceModel):
    """Design (b) of arXiv 2411.16727, Fig. 3: features of x_hat, a masked 5x5 convolution, 1x1 networks.

    Cells come one after the other in raster order, the samples of a cell at once; in training all cells are
    parallel. Layers are ours, mbt2018's: h_s widths N, 3N/2, 2N, inner widths 10N/3 and 8N/3, LeakyReLU.
    Cells of 4 pixels: with the 16 of the latents' grid the context would be 16 pixels away.

    Args:
        width: N.
        patch: side of a cell in pixels.
    """

    trunk_widths: Sequence[float] = (1, 3 / 2, 2)
    """Of the layers that make features of x_hat, in units of N."""

    def __init__(self, width: int = 192, patch: int = 4) -> None:
        super().__init__(patch)
        channels = self.grid.channels
        features = [int(w * width) for w in self.trunk_widths]
        self.trunk = conv_stack((channels, *features), 3, nn.LeakyReLU)
        self.context = CausalContext(channels, 2 * width, kernel_size=5, padding=2)
        widths = (4 * width, 10 * width // 3, 8 * width // 3, 2 * channels)
        self.entropy_parameters = start_at_zero(conv_stack(widths, 1, nn.LeakyReLU))

    def predict(self, error: Tensor, x_hat: Tensor) -> Tensor:
        return self.entropy_parameters(torch.cat([self.context(error), self.trunk(x_hat)], 1))
