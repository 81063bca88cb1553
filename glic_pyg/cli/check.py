"""``glic encode --check``: would WebP keep the very picture better at the same bytes?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from glic_pyg.cli.jobs import Result

if TYPE_CHECKING:
    from glic_pyg.codec.image_codec import ImageCodec
    from glic_pyg.codec.picture import Picture
    from glic_pyg.evaluation.rate_matching import WebpCheck

__all__ = ["checked", "decibels"]


def checked(result: Result, picture: Picture, codec: ImageCodec) -> Result:
    """The same file; the comparison joins its summary, and a warning follows where WebP is better.

    Our file is decoded for it. What is compared are the colours and the bytes they take; alpha and metadata
    are left out on both sides.

    Args:
        result: our file.
        picture: what it was made of.
        codec: what made it.
    """
    from glic_pyg.codec.container import Stream
    from glic_pyg.evaluation.rate_matching import WEBP_MAX_SIDE, webp_check

    if max(picture.size) > WEBP_MAX_SIDE:
        note = f"Not checked: WebP holds no picture of more than {WEBP_MAX_SIDE} pixels a side."
        return replace(result, notes=(*result.notes, note))
    decoded = codec.decode(result.data)
    aside = sum(len(data) for kind, data in decoded.container.streams.items() if kind != Stream.LATENTS)
    found = webp_check(picture.colour, decoded.picture.colour, len(result.data) - aside)
    warnings = (_warning(found),) if found.webp_is_better else ()
    of_what = " of colour" if aside else ""
    return replace(result, summary=f"{result.summary}; {_comparison(found)}{of_what}", warnings=warnings)


def _comparison(found: WebpCheck) -> str:
    """Both codecs in one line."""
    ours, theirs = decibels(found.psnr), decibels(found.webp_psnr)
    if found.webp_size == found.size:
        return f"ours {ours}, WebP {theirs} at the same {found.size:,} bytes"
    limit = "its smallest file" if found.webp_size > found.size else "it needs no more"
    return f"ours {ours} in {found.size:,} bytes, WebP {theirs} in {found.webp_size:,} bytes ({limit})"


def _warning(found: WebpCheck) -> str:
    gain = found.webp_psnr - found.psnr
    how = "loses nothing" if math.isinf(gain) else f"is {gain:.2f} dB better"
    where = "the same" if found.webp_size == found.size else "fewer"
    return f"WebP {how} on this picture with {where} bytes; the .glic file was written all the same."


def decibels(psnr: float) -> str:
    """A PSNR for a message."""
    return "without loss" if math.isinf(psnr) else f"{psnr:.2f} dB"
