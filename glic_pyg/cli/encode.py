"""``glic encode``: pictures to ``.glic`` files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from glic_pyg.cli.check import checked
from glic_pyg.cli.jobs import Job, Result, plan_jobs, run_jobs
from glic_pyg.cli.options import (
    add_coding_options,
    add_file_options,
    add_rate_options,
    choose_device,
    goal_of,
    set_threads,
)

if TYPE_CHECKING:
    from glic_pyg.codec.coded import Encoded

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic encode",
        description="Compress pictures of any kind Pillow reads to .glic files.",
        epilog="Kept: colour or grey, alpha (losslessly), EXIF, ICC profile, XMP. What is not kept is said.",
    )
    add_file_options(parser, source="picture", result=".glic file")
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
    goal = goal_of(parser, args)
    jobs = plan_jobs(parser, args.paths, args.output_dir, ".glic")

    from glic_pyg.codec.api import codec_for_encoding
    from glic_pyg.codec.picture_file import read_picture

    set_threads(args.threads)
    codec = codec_for_encoding(
        args.model,
        args.weights,
        device=choose_device(args.device),
        precision=args.precision,
        max_pixels=args.max_pixels,
    )

    def work(source: BinaryIO, job: Job) -> Result:
        picture = read_picture(
            source, reduce_16bit=args.reduce_16bit, first_frame=args.first_frame, max_pixels=args.max_pixels
        )
        encoded = codec.encode(picture, goal=goal)
        result = Result(encoded.data, _summary(encoded), encoded.notes)
        return checked(result, picture, codec) if args.check else result

    return run_jobs("encode", jobs, work, force=args.force)


def _summary(encoded: Encoded) -> str:
    quality = "" if encoded.quality is None else f", quality {encoded.quality:g}"
    return f"{len(encoded.data)} bytes, {encoded.bpp:.3f} bpp{quality}"
