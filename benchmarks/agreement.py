"""Do files decode anywhere? Encode once, decode under other arithmetic, count the pixels that moved.

python -m benchmarks.agreement data/kodak/*.png --models glic_xs --markdown
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track

import glic_pyg  # noqa: F401  (first: it makes compressai importable)
from benchmarks.case import model_of
from benchmarks.table import print_table
from glic_pyg.codec.errors import GlicError
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.models.weights import weights_hash

__all__ = ["main"]

HEADER = ("model", "decoded with", "latents equal", "pixels within 1, worst image", "largest difference")
Setting = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Another number of CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def without_onednn() -> Iterator[None]:
    """PyTorch's own kernels instead of oneDNN's."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


@contextlib.contextmanager
def without_native() -> Iterator[None]:
    """Attention by torch operators instead of the C library."""
    with mock.patch.dict("os.environ", GLIC_NATIVE="0"):
        yield


@contextlib.contextmanager
def medium_precision() -> Iterator[None]:
    """float32 products in bfloat16 where the hardware offers it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def inside_autocast() -> Iterator[None]:
    """A caller who left bfloat16 autocast on."""
    with torch.autocast("cpu", torch.bfloat16):
        yield


SETTINGS: dict[str, Setting] = {
    "2 threads": lambda: threads(2),
    "oneDNN off": without_onednn,
    "attention without C": without_native,
    "matmul precision medium": medium_precision,
    "inside autocast": inside_autocast,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print: 0 if every file decoded to equal latents, else 1."""
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
    how = provenance(["python", "-m", "benchmarks.agreement", *arguments])
    rows = [row for model in args.models for row in _measure(model, args.images)]
    print_table(HEADER, [_cells(row) for row in rows], markdown=args.markdown, left=2)
    print(how)
    return 0 if all(equal == total for _, _, equal, total, _, _ in rows) else 1


Row = tuple[str, str, int, int, float, int]
"""Model, setting, equal latents, files, least share within 1, largest difference."""


def _measure(name: str, images: Sequence[Path]) -> list[Row]:
    """A row for every setting."""
    model = model_of(name)
    codec = ImageCodec(model, Path(name).stem, weights_hash(model))
    equal = dict.fromkeys(SETTINGS, 0)
    share = dict.fromkeys(SETTINGS, 1.0)
    largest = dict.fromkeys(SETTINGS, 0)
    for path in track(images, name, console=Console(stderr=True), transient=True):
        with threads(1):
            data = codec.encode(Image.open(path)).data
            expected = codec.decode(data).array.astype(int)
            for setting, context in SETTINGS.items():
                with context(), contextlib.suppress(GlicError):
                    moved = np.abs(codec.decode(data).array.astype(int) - expected)
                    equal[setting] += 1
                    share[setting] = min(share[setting], float((moved <= 1).mean()))
                    largest[setting] = max(largest[setting], int(moved.max()))
    return [(Path(name).stem, s, equal[s], len(images), share[s], largest[s]) for s in SETTINGS]


def _cells(row: Row) -> tuple[str, ...]:
    model, setting, equal, files, share, largest = row
    return model, setting, f"{equal} of {files}", f"{100 * share:.3f} %", str(largest)


if __name__ == "__main__":
    raise SystemExit(main())
