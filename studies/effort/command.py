"""Encode images at several efforts and qualities and put table and figure into docs/effort.md.

python -m studies.effort --images data/kodak; finished files are kept, so it can be interrupted. Whole images
and crops of each size have a section and a figure of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.effort import DESCENTS, HIGHEST_EFFORT, Effort
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.data.image_file import ImageFile
from glic_pyg.data.index import build_catalogue
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.metrics import pixel_psnr
from glic_pyg.types import Pixels
from studies.effort.report import Point, effort_figure, extent, section
from studies.images import centre_crop
from studies.page import DOCS, make_command, without_options, write_image, write_section
from studies.records import RunRecords

__all__ = ["main"]

UNRECORDED = ("--images", "--weights", "--folder", "--docs", "--threads", "--report")
"""Options that are left out of the recorded command."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.effort", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--images", default="data/kodak", help="a folder of images")
    add("--limit", type=int, metavar="N", help="of the images, evenly spaced")
    add("--crop", type=int, metavar="SIDE", help="only the centre of every image")
    add("--qualities", type=float, nargs="+", default=[15, 40, 65, 90], metavar="Q")
    add("--levels", type=int, nargs="+", default=[0, 1, 3, 5, 7, 9], choices=range(HIGHEST_EFFORT + 1))
    add("--model", help="name of shipped weights")
    add("--weights", type=Path, help="other weights, of variable rate")
    add("--folder", type=Path, default=Path("runs/effort"), help="of finished files' numbers")
    add("--docs", type=Path, default=DOCS, help="effort.md and images/ are in it")
    add("--threads", type=int, default=1)
    add("--report", action="store_true", help="encode nothing; report what there is")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; 0, or 1 with a sentence."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    try:
        codec = codec_for_encoding(args.model, args.weights)
        files = build_catalogue(args.images).files
        points = list(_points(args, codec, files))
        how = provenance(make_command("effort", without_options(arguments, UNRECORDED)))
        figure = f"effort-{args.crop}.svg" if args.crop else "effort.svg"
        text = section(points, figure, codec.name, args.crop, len(files), how)
        write_image(args.docs, figure, effort_figure(points))
        write_section(args.docs / "effort.md", f"effort: {extent(args.crop)}", text)
    except GlicError as error:
        print(f"effort: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


def _points(args: argparse.Namespace, codec: ImageCodec, files: Sequence[ImageFile]) -> Iterator[Point]:
    """Every image, quality and level, level by level: what is there already is not encoded again."""
    records = RunRecords(args.folder)
    files = files[:: -(-len(files) // args.limit)] if args.limit else files
    every = {"weights": codec.hash_prefix.hex(), "crop": args.crop}
    for level in sorted({0, *args.levels}):
        for file in files:
            for quality in args.qualities:
                descent = asdict(DESCENTS[level - 1]) if level else None
                settings = {**every, "quality": quality, "level": level, "descent": descent}
                image = Path(file.name).stem
                name = f"{image}-{_short(settings)}"
                record = records.read(name, settings)
                if record is None and args.report:
                    continue
                if record is None:
                    pixels = centre_crop(file.decode(), args.crop) if args.crop else file.decode()
                    record = {"settings": settings, **_measured(codec, pixels, quality, level)}
                    records.write(name, record)
                    said = f"{image}, quality {quality:g}, effort {level}"
                    print(f"{said}: {record['bytes']} bytes, {record['psnr']:.2f} dB", flush=True)
                yield Point(image, quality, level, record["bpp"], record["psnr"], record["seconds"])


def _measured(codec: ImageCodec, pixels: Pixels, quality: float, level: int) -> dict[str, float]:
    """A real file of an image: its size, the PSNR of what is decoded from it, CPU seconds of encoding."""
    start = time.process_time()
    encoded = codec.encode(pixels, target=RateTarget("quality", quality), effort=Effort(level))
    seconds = time.process_time() - start
    psnr = pixel_psnr(codec.decode(encoded.data).array, pixels)
    return {"bytes": len(encoded.data), "bpp": encoded.bpp, "psnr": psnr, "seconds": seconds}


def _short(settings: dict[str, object]) -> str:
    return hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:10]
