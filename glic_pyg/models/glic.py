"""GLIC: the codec whose transforms pass messages over graphs of the feature map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from glic_pyg.graph import graph_builder
from glic_pyg.models.base import Codec, EntropyCoder, Finish, ImageRows
from glic_pyg.models.coding import code_latents
from glic_pyg.models.context import space_channel_context
from glic_pyg.models.gain import Gain
from glic_pyg.models.transforms import AnalysisTransform, SynthesisTransform, stage_blocks
from glic_pyg.nn import HaarDown, HaarUp

GFA_IN = ("both", "encoder", "decoder")


class GLIC(Codec):
    """Learned image codec with graph transforms (arXiv 2603.25316); defaults are the released model.

    Sizes differ in these numbers only; ``conf/model`` has ``glic``, ``glic_m``, ``glic_cpu``, ``glic_s`` and
    ``glic_xs``.

    Args:
        widths: channels of the four stages of g_a; the last is M, the latent channels.
        gated_depth, gated_expansion: gated blocks of stage 0; a sequence of depths is of stages 0, 1 and 2.
        gfa_depth, gfa_expansions, heads: GFA blocks of stages 1 and 2; of two depths, each has its own.
        hyper_channels: N, channels of z.
        hyper_depth, hyper_expansion: gated blocks of h_a and h_s.
        groups: channel groups of y, summing to M.
        context_expansion, context_width, parameter_width: the context networks.
        graph: settings of :func:`glic_pyg.graph.graph_builder` by name; ``None`` for the released model's.
        levels: λ of the quality levels of a variable-rate model, see :class:`Gain`; ``None`` for the
            published model of one rate.
        gfa_in: an ablation: which transform has GFA blocks, ``"both"``, ``"encoder"`` or ``"decoder"``; the
            other one has gated blocks there, see :func:`stage_blocks`.
        context_gfa_depth: beyond the paper: GFA layers in each channel context, see :class:`GraphContext`.
        down_kernels, up_kernels: odd kernel sizes of the convolutions between stages, in the order of g_a.
        conditioned: beyond the paper: networks read and predict maps through fixed factors a channel, see
            :class:`~glic_pyg.nn.Rescale`. They are 1 until something sets them
            (:func:`~glic_pyg.models.init.klt_init`).

    Shapes: images ``(B, 3, H, W)`` in [0, 1], H and W multiples of 128; y ``(B, M, H/16, W/16)``.
    """

    multiple = 128
    g_a: AnalysisTransform
    g_s: SynthesisTransform

    def __init__(
        self,
        widths: Sequence[int] = (128, 192, 192, 320),
        gated_depth: int | Sequence[int] = 3,
        gated_expansion: float = 4,
        gfa_depth: int | Sequence[int] = 5,
        gfa_expansions: Sequence[float] = (4, 2),
        heads: int = 8,
        hyper_channels: int = 192,
        hyper_depth: int = 2,
        hyper_expansion: float = 2,
        groups: Sequence[int] = (16, 16, 32, 64, 192),
        context_expansion: float = 4,
        context_width: int = 192,
        parameter_width: int = 384,
        graph: Mapping[str, Any] | None = None,
        levels: Sequence[float] | None = None,
        gfa_in: Literal["both", "encoder", "decoder"] = "both",
        context_gfa_depth: int = 0,
        down_kernels: Sequence[int] = (3, 3, 3, 3),
        up_kernels: Sequence[int] = (3, 3, 3, 3),
        conditioned: bool = False,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            name: _plain(value) for name, value in locals().items() if name not in ("self", "__class__")
        }
        self.latent_channels = widths[-1]
        blocks = partial(
            stage_blocks,
            widths,
            gated_depth=gated_depth,
            gated_expansion=gated_expansion,
            gfa_depth=gfa_depth,
            gfa_expansions=gfa_expansions,
            heads=heads,
            builder=graph_builder(**(graph or {})),
        )
        if gfa_in not in GFA_IN:
            raise ValueError(f"GFA blocks are in one of {[*GFA_IN]}, not in {gfa_in!r}")
        self.g_a = AnalysisTransform(widths, blocks(gfa=gfa_in != "decoder"), down_kernels, conditioned)
        self.g_s = SynthesisTransform(widths, blocks(gfa=gfa_in != "encoder"), up_kernels, conditioned)
        self.latent_codec = space_channel_context(
            widths[-1],
            hyper_channels,
            tuple(groups),
            hyper_depth=hyper_depth,
            hyper_expansion=hyper_expansion,
            context_expansion=context_expansion,
            context_width=context_width,
            parameter_width=parameter_width,
            gfa_depth=context_gfa_depth,
            heads=heads,
            conditioned=conditioned,
        )
        self.rates = None if levels is None else Gain(levels, widths[-1])

    def analyse(self, x: ImageRows) -> Tensor:
        """See :meth:`Codec.analyse`; of large images x is never whole."""
        y: Tensor = self.g_a(x)
        return y

    def synthesise(self, y_hat: Tensor, size: tuple[int, int], finish: Finish | None = None) -> Tensor:
        """See :meth:`Codec.synthesise`; no stage computes more than images of that size need."""
        x_hat: Tensor = self.g_s(y_hat, size, finish)
        return x_hat

    def code_latents(self, coder: EntropyCoder, y: Tensor | None = None, *, shape: tuple[int, int]) -> Tensor:
        """Send (``y`` given) or receive y through an entropy coder; see :func:`coding.code_latents`."""
        return code_latents(self.latent_codec, coder, y, shape)

    def ortho_loss(self) -> Tensor:
        """Sum of the orthogonality losses of the 8 side-branch maps, a scalar."""
        branches = [m.ortho_loss() for m in self.modules() if isinstance(m, HaarDown | HaarUp)]
        return torch.stack(branches).sum()


def _plain(value: Any) -> Any:
    """An argument as a weights file can keep it."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
