"""Whether files decode anywhere: encode once, decode under other arithmetic, count the pixels that differ.

python -m benchmarks.agreement data/kodak/*.png --models glic_xs --markdown

A GPU decodes too, if there is one. There is no row for batches: the codec takes images one by one.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track

from benchmarks.case import build_model
from benchmarks.decoder_settings import SETTINGS, Setting, threads
from glic_pyg.codec.image_codec import Decoded, ImageCodec
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.evaluation.tables import print_table
from glic_pyg.models.weights import weights_hash

__all__ = ["main"]

HEADER = ("model", "decoded with", "latents equal", "pixels within 1, worst image", "largest difference")
Decoder = Callable[[bytes], Decoded]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print: 0 if every file decoded to equal latents, else 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agreement", description=__doc__.splitlines()[0]
    )
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument(
        "--models", nargs="+", default=["glic_xs"], help="of conf/model, or .safetensors files"
    )
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/results.md")
    args = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    how = provenance(["python", "-m", "benchmarks.agreement", *arguments], device)
    rows = [row for model in args.models for row in _measure(model, args.images)]
    print_table(HEADER, [_cells(row) for row in rows], markdown=args.markdown, left=2)
    print(how)
    return 0 if all(equal == total for _, _, equal, total, _, _ in rows) else 1


Row = tuple[str, str, int, int, float, int]
"""Model, how it was decoded, equal latents, files, least share within 1, largest difference."""


def _measure(name: str, images: Sequence[Path]) -> list[Row]:
    """A row for every decoder."""
    model = build_model(name)
    codec = ImageCodec(model, Path(name).stem, weights_hash(model))
    decoders = _decoders(codec)
    equal = dict.fromkeys(decoders, 0)
    share = dict.fromkeys(decoders, 1.0)
    largest = dict.fromkeys(decoders, 0)
    for path in track(images, name, console=Console(stderr=True), transient=True):
        with threads(1):
            data = codec.encode(Image.open(path)).data
            expected = codec.decode(data).array.astype(int)
            for how, decode in decoders.items():
                with contextlib.suppress(GlicError):
                    moved = np.abs(decode(data).array.astype(int) - expected)
                    equal[how] += 1
                    share[how] = min(share[how], float((moved <= 1).mean()))
                    largest[how] = max(largest[how], int(moved.max()))
    return [(codec.name, how, equal[how], len(images), share[how], largest[how]) for how in decoders]


def _decoders(codec: ImageCodec) -> dict[str, Decoder]:
    """The codec under every setting, and on a GPU if there is one."""
    found = {name: _under(setting, codec.decode) for name, setting in SETTINGS.items()}
    if torch.cuda.is_available():
        model, weights = copy.deepcopy(codec.model), codec.hash_prefix.hex()
        found["a GPU"] = ImageCodec(model, codec.name, weights, device="cuda").decode
    return found


def _under(setting: Setting, decode: Decoder) -> Decoder:
    def decode_under(data: bytes) -> Decoded:
        with setting():
            return decode(data)

    return decode_under


def _cells(row: Row) -> tuple[str, ...]:
    model, how, equal, files, share, largest = row
    return model, how, f"{equal} of {files}", f"{100 * share:.3f} %", str(largest)


if __name__ == "__main__":
    raise SystemExit(main())
