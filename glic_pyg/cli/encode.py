"""``glic encode``: images to ``.glic`` files."""

from __future__ import annotations

import argparse
import math
import signal
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO

from glic_pyg.cli.console import FileBatch
from glic_pyg.cli.jobs import Job, Result, Work, add_job_options, plan_jobs, run_jobs, shown_in
from glic_pyg.cli.options import add_coding_options, add_rate_options, choose_device, set_threads, target_of
from glic_pyg.codec.effort import HIGHEST_EFFORT, METRICS, Effort, Progress

if TYPE_CHECKING:
    from glic_pyg.codec.image import ImageData
    from glic_pyg.codec.image_codec import ImageCodec
    from glic_pyg.codec.rate_control import RateTarget
    from glic_pyg.codec.results import Encoded, Won
    from glic_pyg.evaluation.rate_matching import WebpCheck

__all__ = ["checked", "decibels", "main", "make_parser"]

_SUFFIX = ".glic"


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic encode",
        description="Compress images of any kind Pillow reads to .glic files.",
        epilog="Kept: colour or grey, alpha (losslessly), EXIF, ICC profile, XMP. What is not kept is said.",
    )
    add_job_options(parser, source="image", result=".glic file")
    add_rate_options(parser)
    parser.add_argument("--model", metavar="NAME", help="name of shipped weights (glic doctor lists them)")
    add_coding_options(parser)
    _add_effort_options(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with WebP at equal bytes; warn where it is better",
    )
    parser.add_argument("--reduce-16bit", action="store_true", help="reduce more than 8 bits a sample to 8")
    parser.add_argument("--first-frame", action="store_true", help="keep the first frame of an animation")
    return parser


def _add_effort_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--effort",
        type=int,
        choices=range(HIGHEST_EFFORT + 1),
        default=0,
        metavar="0...9",
        help="search longer for a better file; Ctrl-C ends the search and keeps what it found (default: 0)",
    )
    parser.add_argument(
        "--effort-metric",
        choices=METRICS,
        default="psnr",
        help="what effort improves beside the size (default: psnr)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the search: the same seed, the same file (default: 0)",
    )


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    parser = make_parser()
    args = parser.parse_args(argv)
    target = target_of(parser, args)
    jobs = plan_jobs(parser, args, suffix=_SUFFIX, endings=[_SUFFIX], inputs=_image_suffixes)
    return run_jobs("encode", jobs, partial(_read, args), partial(_encoder, args, target), args)


def _image_suffixes() -> Collection[str]:
    from glic_pyg.data.image_file import SUFFIXES

    return SUFFIXES


def _read(args: argparse.Namespace, source: BinaryIO) -> ImageData:
    from glic_pyg.codec.image_file import read_image

    return read_image(
        source, reduce_16bit=args.reduce_16bit, first_frame=args.first_frame, max_pixels=args.max_pixels
    )


def _encoder(args: argparse.Namespace, target: RateTarget | None, batch: FileBatch) -> Work[ImageData]:
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

    def encode(image: ImageData, job: Job) -> Result:
        with _search_of(args, batch) as effort:
            report = shown_in(batch, image.size[0] * image.size[1])
            encoded = codec.encode(image, target=target, effort=effort, report=report)
        result = Result(encoded.data, _summary(encoded), encoded.notes)
        return checked(result, image, codec) if args.check else result

    return encode


@contextmanager
def _search_of(args: argparse.Namespace, batch: FileBatch) -> Iterator[Effort]:
    """The effort that these options ask for; its progress is shown, and the first Ctrl-C ends its search."""
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped:
            raise KeyboardInterrupt
        stopped = True

    def report(progress: Progress) -> bool:
        batch.steps(progress.step, progress.steps, f"search, {-progress.gain / 8:+,.0f} bytes")
        return not stopped

    effort = Effort(args.effort, args.effort_metric, args.seed, report)
    before = signal.getsignal(signal.SIGINT)
    listens = args.effort > 0 and before is signal.default_int_handler
    try:
        if listens:
            signal.signal(signal.SIGINT, stop)
        yield effort
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)


def _summary(encoded: Encoded) -> str:
    quality = "" if encoded.quality is None else f", quality {encoded.quality:g}"
    psnr = "" if encoded.psnr is None else f", {decibels(encoded.psnr)}"
    won = "" if encoded.won is None else f"; {_won(encoded, encoded.won)}"
    return f"{len(encoded.data)} bytes, {encoded.bpp:.3f} bpp{quality}{psnr}{won}"


def _won(encoded: Encoded, won: Won) -> str:
    """What effort brought, in a few words."""
    if not won.gain:
        return f"effort {won.level} found nothing better"
    change = f"{won.bytes} -> {len(encoded.data)} bytes"
    psnr = f"{decibels(won.psnr_before)} -> {decibels(won.psnr_after)}"
    return (
        f"effort {won.level}, {won.steps} steps: {change}, {psnr} ({-100 * won.gain:.1f} % at equal quality)"
    )


def checked(result: Result, image_data: ImageData, codec: ImageCodec) -> Result:
    """The same file; the comparison joins its summary, and a warning follows where WebP is better.

    Our file is decoded for it. What is compared are the colours and the bytes they take; alpha and metadata
    are left out on both sides.

    Args:
        result: our file.
        image_data: what it was made of.
        codec: what made it.
    """
    from glic_pyg.codec.container import Stream
    from glic_pyg.evaluation.rate_matching import WEBP_MAX_SIDE, webp_check

    if max(image_data.size) > WEBP_MAX_SIDE:
        note = f"Not checked: WebP holds no image of more than {WEBP_MAX_SIDE} pixels a side."
        return replace(result, notes=(*result.notes, note))
    decoded = codec.decode(result.data)
    aside = sum(len(data) for kind, data in decoded.container.streams.items() if kind != Stream.LATENTS)
    found = webp_check(image_data.colour, decoded.image_data.colour, len(result.data) - aside)
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
    return f"WebP {how} on this image with {where} bytes; the .glic file was written all the same."


def decibels(psnr: float) -> str:
    """A PSNR for a message."""
    return "without loss" if math.isinf(psnr) else f"{psnr:.2f} dB"
