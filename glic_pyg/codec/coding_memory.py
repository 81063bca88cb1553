"""What coding an image needs of memory, held against what is free before the work starts.

Measured with ``added_memory`` of glic_pyg.evaluation on images of 0.8 to 3 megapixels, all architectures, one
CPU: the peak that encoding or decoding adds to a process that has loaded the model. Nearly all of it is maps
of the first stage of g_a or the last of g_s, at half the resolution; the rest is the image and, in float64,
its latents. The estimates are 50 to 100 % of what was measured: what they refuse does not fit.
"""

from __future__ import annotations

import torch
from torch import nn

from glic_pyg.codec.padding import padded_size
from glic_pyg.memory import check_memory
from glic_pyg.models.base import Codec

__all__ = ["check_coding_memory", "coding_memory"]

_BYTES_PER_PIXEL = 75
_MAPS_ENCODING, _MAPS_DECODING = 2.6, 3.7
"""Float32 maps of the first stage that are alive at once; one is a byte per pixel and channel."""


def coding_memory(model: Codec, width: int, height: int, *, decoding: bool) -> int:
    """Bytes that encoding or decoding an image adds to the process at its peak, at least.

    Args:
        model: the codec.
        width, height: of the image, in pixels.
        decoding: rather than encoding.
    """
    wide, high = padded_size(width, height, model.multiple)
    maps = _MAPS_DECODING if decoding else _MAPS_ENCODING
    return int(wide * high * (_BYTES_PER_PIXEL + maps * _first_width(model)))


def check_coding_memory(
    model: Codec, width: int, height: int, device: torch.device, *, decoding: bool
) -> None:
    """Refuse an image that there is no memory for.

    Raises:
        NotEnoughMemory: with how much is needed and how much is free.
    """
    check_memory(
        coding_memory(model, width, height, decoding=decoding),
        f"{'Decoding' if decoding else 'Encoding'} an image of {width}x{height} pixels",
        "free some, or use smaller weights or a smaller image",
        str(device),
    )


def _first_width(model: Codec) -> int:
    """Channels of the first stage: what the convolutions that read pixels give."""
    layers = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    return max((layer.out_channels for layer in layers if layer.in_channels == 3), default=0)
