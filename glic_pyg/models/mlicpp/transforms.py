"""The transforms of MLIC++: residual blocks with GDN for the pixels, plain convolutions for the latents."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from compressai.layers import GDN
from torch import Tensor, nn

from glic_pyg.models.transforms import subpel


class Res(nn.Module):
    """Two 3x3 convolutions, each with GELU, beside the identity (a 1x1 convolution if the widths differ).

    Shapes: ``(B, in_channels, H, W)`` -> ``(B, out_channels, H, W)``.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.skip = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.conv2(F.gelu(self.conv1(x)))) + self.skip(x)


class ResDown(nn.Module):
    """Halve the resolution: two 3x3 convolutions and GDN beside a strided 1x1 convolution.

    Shapes: ``(B, in_channels, H, W)`` -> ``(B, out_channels, H/2, W/2)``.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride=2)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.gdn = GDN(out_channels)
        self.skip = nn.Conv2d(in_channels, out_channels, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.gdn(self.conv2(F.gelu(self.conv1(x)))) + self.skip(x)


class ResUp(nn.Module):
    """Double the resolution: sub-pixel and 3x3 convolution and inverse GDN beside a second sub-pixel one.

    Shapes: ``(B, in_channels, H, W)`` -> ``(B, out_channels, 2H, 2W)``.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = subpel(in_channels, out_channels)
        self.conv = conv3x3(out_channels, out_channels)
        self.igdn = GDN(out_channels, inverse=True)
        self.skip = subpel(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.igdn(self.conv(F.gelu(self.up(x)))) + self.skip(x)


def analysis(width: int, latent_channels: int) -> nn.Sequential:
    """g_a: ``(B, 3, H, W)`` -> ``(B, M, H/16, W/16)``."""
    stages: list[nn.Module] = []
    for in_channels in (3, width, width):
        stages += [ResDown(in_channels, width), Res(width, width)]
    return nn.Sequential(*stages, conv3x3(width, latent_channels, stride=2))


def synthesis(latent_channels: int, first_width: int, width: int) -> nn.Sequential:
    """g_s: ``(B, M, h, w)`` -> ``(B, 3, 16h, 16w)``, not clamped; its first block has ``first_width``."""
    stages: list[nn.Module] = [Res(latent_channels, first_width)]
    for in_channels in (first_width, width, width):
        stages += [ResUp(in_channels, width), Res(width, width)]
    return nn.Sequential(*stages, subpel(width, 3))


def hyper_analysis(latent_channels: int, width: int) -> nn.Sequential:
    """h_a: ``(B, M, h, w)`` -> ``(B, N, h/4, w/4)``."""
    return _with_gelu(
        conv3x3(latent_channels, width),
        conv3x3(width, width),
        conv3x3(width, width, stride=2),
        conv3x3(width, width),
        conv3x3(width, width, stride=2),
    )


def hyper_synthesis(width: int, latent_channels: int) -> nn.Sequential:
    """h_s: ``(B, N, h/4, w/4)`` -> ``(B, 2M, h, w)``, M channels for the scales, M for the means."""
    middle = latent_channels * 3 // 2
    return _with_gelu(
        conv3x3(width, latent_channels),
        subpel(latent_channels, latent_channels),
        conv3x3(latent_channels, middle),
        subpel(middle, middle),
        conv3x3(middle, 2 * latent_channels),
    )


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Keeps the resolution, or divides it by the stride."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)


def conv_stack(widths: list[int], kernel: int) -> nn.Sequential:
    """Convolutions from width to width, GELU between them."""
    return _with_gelu(*(nn.Conv2d(i, o, kernel, padding=kernel // 2) for i, o in pairwise(widths)))


def _with_gelu(*layers: nn.Module) -> nn.Sequential:
    between = [part for layer in layers for part in (layer, nn.GELU())]
    return nn.Sequential(*between[:-1])
