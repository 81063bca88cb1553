"""What ``glic inspect`` looks at: a photo and a model, and perhaps a second photo or model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glic_pyg.cli.console import naming, shown
from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.image_codec import ImageCodec, Precision
from glic_pyg.codec.library import shipped_names
from glic_pyg.codec.picture_file import read_picture
from glic_pyg.inspection.inspect import Inspection, inspect_image

__all__ = ["Subject", "subjects_of"]

_WEIGHTS = (".safetensors", ".pth.tar")


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and what was seen of it with one photo."""

    model: Any
    seen: Inspection


def subjects_of(args: argparse.Namespace) -> Iterator[Subject]:
    """The first subject; after it the second, if one was asked for.

    Raises:
        GlicError: a photo or weights cannot be used.
    """
    codec = codec_for_encoding(
        args.model, args.weights, device=args.device, precision=args.precision, max_pixels=args.max_pixels
    )
    yield _subject(args, args.photo, codec, args.precision)
    second = args.against
    if second == "bf16":
        yield _subject(args, args.photo, codec, "bf16")
    elif second is not None and (second.endswith(_WEIGHTS) or second in shipped_names()):
        name, path = (None, second) if second.endswith(_WEIGHTS) else (second, None)
        other = codec_for_encoding(
            name, path, device=args.device, precision=args.precision, max_pixels=args.max_pixels
        )
        yield _subject(args, args.photo, other, args.precision)
    elif second is not None:
        yield _subject(args, second, codec, args.precision)


def _subject(args: argparse.Namespace, photo: str, codec: ImageCodec, precision: Precision) -> Subject:
    with naming(photo):
        picture = read_picture(photo, max_pixels=args.max_pixels)
        seen = inspect_image(
            codec.model,
            picture.colour,
            name=shown(Path(photo).name),
            weights=codec.name if precision == "float32" else f"{codec.name}, {precision}",
            quality=args.quality,
            precision=precision,
        )
    return Subject(codec.model, seen)
