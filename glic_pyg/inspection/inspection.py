"""Everything that is looked at of one model and one picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from glic_pyg.codec.arithmetic import plain_arithmetic
from glic_pyg.codec.padding import colour_from_tensor, tensor_from_colour
from glic_pyg.codec.psnr import pixel_psnr
from glic_pyg.inspection.bits import Bits, bits_of
from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.observer import observed
from glic_pyg.models.gain import BEST_QUALITY, rates_of

__all__ = ["Inspection", "inspect_picture"]


@dataclass(frozen=True, eq=False)
class Inspection:
    """What a model did with a picture of H x W pixels.

    The maps of blocks and latents cover the padded picture; ``BlockGraphs.crop`` and ``Bits.per_pixel`` cut
    them to the photo.

    Attributes:
        picture, weights: what to call the two.
        quality: that the picture was coded at; None where the model has one rate.
        photo: uint8 (H, W, 3).
        decoded: uint8 (H, W, 3), the photo after coding.
        blocks: in the order they ran, those of g_a first; none where the model has no graphs.
        bits: of every latent.
    """

    picture: str
    weights: str
    quality: float | None
    photo: NDArray[np.uint8]
    decoded: NDArray[np.uint8]
    blocks: Sequence[BlockGraphs]
    bits: Bits

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photo."""
        height, width = self.photo.shape[:2]
        return height, width

    @property
    def bpp(self) -> float:
        """Bits a pixel of the photo; bits of the padding, which a file has to hold too, are among them."""
        return self.bits.total / (self.size[0] * self.size[1])

    @cached_property
    def psnr(self) -> float:
        """Of decoded against the photo in dB; infinite where they are equal."""
        return pixel_psnr(self.decoded, self.photo)

    @cached_property
    def bit_map(self) -> NDArray[np.float32]:
        """(H, W), bits of every pixel."""
        return self.bits.per_pixel(*self.size)

    @cached_property
    def error_map(self) -> NDArray[np.float32]:
        """(H, W), squared difference of photo and decoded in 8-bit levels, the mean over the colours."""
        difference = self.photo.astype(np.float32) - self.decoded
        return np.square(difference).mean(axis=2)

    def block(self, name: str) -> BlockGraphs:
        """A block by its name or its title, e.g. ``g_s stage 2``.

        Raises:
            KeyError: there is none; the message says which there are.
        """
        for block in self.blocks:
            if name in (block.name, block.title):
                return block
        raise KeyError(f"there is no block {name!r}, there are {', '.join(b.title for b in self.blocks)}")


def inspect_picture(
    model: Any,
    colour: NDArray[np.uint8],
    *,
    picture: str = "",
    weights: str = "",
    quality: float | None = None,
    precision: Literal["float32", "bf16"] = "float32",
    layers: Collection[int] | None = None,
) -> Inspection:
    """Send a picture through a model and keep what is seen.

    It goes the way of the model's forward pass, whose latents differ from a file's by roundings near a tie.

    Args:
        model: a backbone in eval mode; see ``models.contract``.
        colour: uint8 (H, W, 3), or (H, W) grey.
        picture, weights: what to call the two.
        quality: 0 to 100, for models of variable rate; None for the middle.
        precision: ``"bf16"`` runs g_a and g_s under autocast, as the codec does.
        layers: of each block, whose attention may be asked for later; None for all.
    """
    device = next(model.parameters()).device
    x, rates = tensor_from_colour(colour, model.multiple, device), rates_of(model)
    quality = BEST_QUALITY / 2 if quality is None else quality
    low = precision == "bf16"
    with plain_arithmetic(device), observed(model, x.shape[2], layers=layers) as blocks:
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            y = model.g_a(x).float()
        latents = model.latent_codec(y if rates is None else rates.scale(y, quality))
        y_hat = latents["y_hat"]
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            x_hat = model.g_s(y_hat if rates is None else rates.unscale(y_hat, quality))
    height, width = colour.shape[:2]
    return Inspection(
        picture=picture,
        weights=weights,
        quality=None if rates is None else quality,
        photo=colour if colour.ndim == 3 else np.dstack([colour] * 3),
        decoded=colour_from_tensor(x_hat, width, height, grey=False),
        blocks=tuple(blocks),
        bits=bits_of(latents["likelihoods"]),
    )
