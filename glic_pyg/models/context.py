"""The entropy networks of GLIC: hyperprior, channel context, spatial context, entropy parameters.

Built from CompressAI's latent codecs, which define the forward pass used in training. Coding real bytes
walks the same modules, see :mod:`glic_pyg.models.coding`.

Beyond the paper, which names it as future work, the channel context can pass messages over graphs of the
latents decoded so far (:class:`GraphContext`). Both sides of a file have exactly these latents, and the
graphs are built so that they come out the same on every machine. What the layers compute on them is
continuous, like every other network of the entropy model, and the file's safeguard against rounding covers
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from compressai.entropy_models import EntropyBottleneck
from compressai.latent_codecs import (
    ChannelGroupsLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
)
from torch import Tensor, nn

from glic_pyg.graph import GraphBuilder
from glic_pyg.models.checkerboard import HalvesCheckerboard, SpatialContext
from glic_pyg.models.transforms import subpel
from glic_pyg.nn import GatedBlock, GFALayer, PointwiseBlock, Rescale
from glic_pyg.nn.pointwise import map_of, rows_of

RAMP_LAYERS = 3


def space_channel_context(
    latent_channels: int,
    hyper_channels: int,
    groups: Sequence[int],
    *,
    hyper_depth: int,
    hyper_expansion: float,
    context_expansion: float,
    context_width: int,
    parameter_width: int,
    gfa_depth: int = 0,
    heads: int = 8,
    conditioned: bool = False,
) -> HyperpriorLatentCodec:
    """ELIC's uneven space-channel context model with GLIC's networks inside (GLIC section 7).

    Args:
        latent_channels: M, channels of y.
        hyper_channels: N, channels of z.
        groups: channels of each group of y; they sum to M.
        hyper_depth, hyper_expansion: gated blocks between two convolutions of h_a and h_s.
        context_expansion: of the channel context and the entropy parameters.
        context_width, parameter_width: least inner width of the two ramps.
        gfa_depth, heads: GFA layers behind each channel context, see :class:`GraphContext`; 0 for GLIC's.
        conditioned: the networks read latents, and predict means and scales, through fixed factors a channel,
            see :class:`~glic_pyg.nn.Rescale`.

    Raises:
        ValueError: if the groups do not sum to M.
    """
    if sum(groups) != latent_channels:
        raise ValueError(
            f"channel groups {tuple(groups)} sum to {sum(groups)}, not to {latent_channels} latent channels"
        )
    before = list(accumulate(groups, initial=0))
    channel_context: dict[str, nn.Module] = {}
    for k, size in enumerate(groups[1:], start=1):
        ramp = channel_ramp(
            before[k], 2 * size, context_width, lambda i, o: GatedBlock(i, o, context_expansion)
        )
        if conditioned:
            ramp = nn.Sequential(Rescale(before[k]), *ramp)
        channel_context[f"y{k}"] = GraphContext(ramp, 2 * size, gfa_depth, heads) if gfa_depth else ramp
    group_codecs = {
        f"y{k}": HalvesCheckerboard(
            latent_codec={"y": GaussianConditionalLatentCodec(quantizer="ste")},
            context_prediction=SpatialContext(size, 2 * size, rescaled=conditioned, kernel_size=5, padding=2),
            entropy_parameters=_rescaled_behind(
                conditioned,
                2 * size,
                channel_ramp(
                    2 * size + (k > 0) * 2 * size + 2 * hyper_channels,
                    2 * size,
                    parameter_width,
                    lambda i, o: PointwiseBlock(i, o, context_expansion),
                ),
            ),
        )
        for k, size in enumerate(groups)
    }
    return HyperpriorLatentCodec(
        latent_codec={
            "y": ChannelGroupsLatentCodec(group_codecs, channel_context, groups=list(groups)),
            "hyper": HyperLatentCodec(
                EntropyBottleneck(hyper_channels),
                hyper_analysis(latent_channels, hyper_channels, hyper_depth, hyper_expansion, conditioned),
                hyper_synthesis(hyper_channels, hyper_depth, hyper_expansion, conditioned),
                quantizer="ste",
            ),
        }
    )


def hyper_analysis(
    latent_channels: int, width: int, depth: int, expansion: float, conditioned: bool = False
) -> nn.Sequential:
    """h_a: ``(B, M, h, w)`` -> ``(B, N, h/4, w/4)``; with a :class:`Rescale` in front and behind."""
    layers: list[nn.Module] = [nn.Conv2d(latent_channels, width, 3, padding=1)]
    for _ in range(2):
        layers += [GatedBlock(width, width, expansion) for _ in range(depth)]
        layers.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
    return (
        nn.Sequential(Rescale(latent_channels), *layers, Rescale(width))
        if conditioned
        else nn.Sequential(*layers)
    )


def hyper_synthesis(width: int, depth: int, expansion: float, conditioned: bool = False) -> nn.Sequential:
    """h_s: ``(B, N, h/4, w/4)`` -> ``(B, 2N, h, w)``; with a :class:`Rescale` in front."""
    layers: list[nn.Module] = [Rescale(width)] if conditioned else []
    for _ in range(2):
        layers.append(subpel(width, width))
        layers += [GatedBlock(width, width, expansion) for _ in range(depth)]
    return nn.Sequential(*layers, nn.Conv2d(width, 2 * width, 3, padding=1))


def _rescaled_behind(conditioned: bool, channels: int, ramp: nn.Sequential) -> nn.Sequential:
    return nn.Sequential(*ramp, Rescale(channels)) if conditioned else ramp


def channel_ramp(
    in_channels: int, out_channels: int, least: int, layer: Callable[[int, int], nn.Module]
) -> nn.Sequential:
    """Three layers of the widths of :func:`ramp_widths`."""
    widths = ramp_widths(in_channels, out_channels, least)
    return nn.Sequential(*(layer(i, o) for i, o in pairwise(widths)))


def ramp_widths(in_channels: int, out_channels: int, least: int) -> list[int]:
    """Four widths that go linearly from input to output, inner ones at least ``least``."""
    step = (out_channels - in_channels) / RAMP_LAYERS
    inner = [max(least, int(in_channels + step * i)) for i in range(1, RAMP_LAYERS)]
    return [in_channels, *inner, out_channels]


EXPANSION = 2


class GraphContext(nn.Module):
    """A channel ramp, then GFA layers on the local and the mesh graph of the ramp's input, in turns.

    The ramp changes the width, so the layers stand behind it: there they can add to every mean and scale what
    similar places, near and far, have in the channel groups before.

    Args:
        ramp: from the latents decoded so far to ``channels``.
        channels: what the ramp ends with.
        depth: number of GFA layers.
        heads: of their attention.

    Shapes: ``(B, C, h, w)`` decoded latents -> ``(B, channels, h, w)``, any h and w.
    """

    def __init__(self, ramp: nn.Module, channels: int, depth: int, heads: int) -> None:
        super().__init__()
        self.ramp = ramp
        self.layers = nn.ModuleList(GFALayer(channels, EXPANSION, heads) for _ in range(depth))
        self.builder = GraphBuilder(reproducible=True)

    def forward(self, y_hat: Tensor) -> Tensor:
        graphs = list(self.builder(y_hat.detach()).values())
        rows = rows_of(self.ramp(y_hat))
        for index, layer in enumerate(self.layers):
            rows = layer(rows, graphs[index % len(graphs)])
        return map_of(rows)
