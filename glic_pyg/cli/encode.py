"""``glic encode``: images to ``.glic`` files."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from glic_pyg.cli.check import checked, decibels
from glic_pyg.cli.jobs import Job, Result, Work, add_job_options, plan_jobs, run_jobs
from glic_pyg.cli.options import add_coding_options, add_rate_options, choose_device, set_threads, target_of

if TYPE_CHECKING:
    from glic_pyg.codec.picture import Picture
    from glic_pyg.codec.rate_control import RateTarget
    from glic_pyg.codec.results import Encoded

__all__ = ["main"]

_SUFFIX = ".glic"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic encode",
        description="Compress images of any kind Pillow reads to .glic files.",
        epilog="Kept: colour or grey, alpha (losslessly), EXIF, ICC profile, XMP. What is not kept is said.",
    )
    add_job_options(parser, source="image", result=".glic file")
    add_rate_options(parser)
    parser.add_argument("--model", metavar="NAME", help="name of shipped weights (glic doctor lists them)")
    add_coding_options(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with WebP at equal bytes; warn where it is better",
    )
    parser.add_argument("--reduce-16bit", action="store_true", help="reduce more than 8 bits a sample to 8")
    parser.add_argument("--first-frame", action="store_true", help="keep the first frame of an animation")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    parser = _parser()
    args = parser.parse_args(argv)
    target = target_of(parser, args)
    jobs = plan_jobs(parser, args, suffix=_SUFFIX, endings=[_SUFFIX], inputs=_image_suffixes)
    return run_jobs("encode", jobs, partial(_read, args), partial(_encoder, args, target), args)


def _image_suffixes() -> Collection[str]:
    from glic_pyg.data.image_file import SUFFIXES

    return SUFFIXES


def _read(args: argparse.Namespace, source: BinaryIO) -> Picture:
    from glic_pyg.codec.picture_file import read_picture

    return read_picture(
        source, reduce_16bit=args.reduce_16bit, first_frame=args.first_frame, max_pixels=args.max_pixels
    )


def _encoder(args: argparse.Namespace, target: RateTarget | None) -> Work[Picture]:
    """Load the weights; return what encodes one image."""
    from glic_pyg.codec.api import codec_for_encoding

    set_threads(args.threads)
    codec = codec_for_encoding(
        args.model,
        args.weights,
        device=choose_device(args.device),
        precision=args.precision,
        max_pixels=args.max_pixels,
    )

    def encode(picture: Picture, job: Job) -> Result:
        encoded = codec.encode(picture, target=target)
        result = Result(encoded.data, _summary(encoded), encoded.notes)
        return checked(result, picture, codec) if args.check else result

    return encode


def _summary(encoded: Encoded) -> str:
    quality = "" if encoded.quality is None else f", quality {encoded.quality:g}"
    psnr = "" if encoded.psnr is None else f", {decibels(encoded.psnr)}"
    return f"{len(encoded.data)} bytes, {encoded.bpp:.3f} bpp{quality}{psnr}"
