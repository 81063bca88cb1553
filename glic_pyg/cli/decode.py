"""``glic decode``: ``.glic`` files to images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from glic_pyg.cli.console import PIPE, FileBatch
from glic_pyg.cli.jobs import Job, Result, Work, add_job_options, plan_jobs, run_jobs, shown_in
from glic_pyg.cli.options import add_coding_options, choose_device, set_threads
from glic_pyg.cli.paths import is_stream
from glic_pyg.codec.container import read_container, read_glic

__all__ = ["FORMATS", "main", "make_parser"]

FORMATS = ("png", "webp", "tif", "tiff", "jpg", "jpeg", "bmp", "ppm", "pgm")


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic decode",
        description="Turn .glic files back into images. The output's extension decides the kind of file.",
    )
    add_job_options(parser, source=".glic file", result="image")
    parser.add_argument(
        "--format", choices=FORMATS, default="png", help="kind of file for -o and for pipes (default: png)"
    )
    add_coding_options(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    parser = make_parser()
    args = parser.parse_args(argv)
    endings = [f".{kind}" for kind in FORMATS]
    jobs = plan_jobs(parser, args, suffix=f".{args.format}", endings=endings, inputs=lambda: (".glic",))
    read = partial(read_glic, max_pixels=args.max_pixels)  # which needs no torch
    return run_jobs("decode", jobs, read, partial(_decoder, args), args)


def _decoder(args: argparse.Namespace, batch: FileBatch) -> Work[bytes]:
    """Return what decodes one file; weights are loaded as files name them."""
    from glic_pyg.codec.api import codec_for_decoding
    from glic_pyg.codec.image_file import write_image

    set_threads(args.threads)
    device = choose_device(args.device)

    def decode(data: bytes, job: Job) -> Result:
        codec = codec_for_decoding(
            data, args.weights, device=device, precision=args.precision, max_pixels=args.max_pixels
        )
        header = read_container(data, max_pixels=args.max_pixels).header
        report = shown_in(batch, header.width * header.height)
        image_data = codec.decode(data, report=report).image_data
        written, notes = write_image(image_data, _extension(job, args.format))
        return Result(written, f"{image_data.size[0]}x{image_data.size[1]}, {len(written)} bytes", notes)

    return decode


def _extension(job: Job, fallback: str) -> str:
    """Kind of file by the output's name; pipes and devices have none."""
    target = Path(job.target)
    if job.target == PIPE or is_stream(target):
        return fallback
    return target.suffix.lower().removeprefix(".")
