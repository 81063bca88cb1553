"""``glic decode``: ``.glic`` files to pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from glic_pyg.cli.jobs import PIPE, Job, Result, plan_jobs, run_jobs
from glic_pyg.cli.options import add_coding_options, add_file_options, choose_device, set_threads

__all__ = ["FORMATS", "main"]

FORMATS = ("png", "webp", "tif", "tiff", "jpg", "jpeg", "bmp", "ppm", "pgm")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic decode",
        description="Turn .glic files back into pictures. The output's extension decides the kind of file.",
    )
    add_file_options(parser, source=".glic file", result="picture")
    parser.add_argument(
        "--format", choices=FORMATS, default="png", help="kind of file for -o and for pipes (default: png)"
    )
    add_coding_options(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    parser = _parser()
    args = parser.parse_args(argv)
    jobs = plan_jobs(parser, args.paths, args.output_dir, f".{args.format}")
    for job in jobs:
        if _extension(job, args.format) not in FORMATS:
            parser.error(f"{job.target} should end in one of {', '.join('.' + kind for kind in FORMATS)}")

    from glic_pyg.codec.api import codec_for_decoding
    from glic_pyg.codec.container import read_glic
    from glic_pyg.codec.picture_file import write_picture

    set_threads(args.threads)
    device = choose_device(args.device)

    def work(source: BinaryIO, job: Job) -> Result:
        data = read_glic(source, max_pixels=args.max_pixels)
        codec = codec_for_decoding(
            data, args.weights, device=device, precision=args.precision, max_pixels=args.max_pixels
        )
        picture = codec.decode(data).picture
        written, notes = write_picture(picture, _extension(job, args.format))
        return Result(written, f"{picture.size[0]}x{picture.size[1]}, {len(written)} bytes", notes)

    return run_jobs("decode", jobs, work, force=args.force)


def _extension(job: Job, fallback: str) -> str:
    """Kind of file by the output's name; pipes and devices have none."""
    target = Path(job.target)
    if job.target == PIPE or (target.exists() and not target.is_file()):
        return fallback
    return target.suffix.lower().removeprefix(".")
