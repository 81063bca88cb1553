"""Arguments that several commands share, and what they set up."""

from __future__ import annotations

import argparse
import os

from glic_pyg import runtime
from glic_pyg.codec.container import DEFAULT_MAX_PIXELS
from glic_pyg.codec.rate_control import DEFAULT_QUALITY, RateTarget, parse_target
from glic_pyg.errors import GlicError

__all__ = [
    "add_coding_options",
    "add_rate_options",
    "choose_device",
    "positive",
    "set_threads",
    "target_of",
]


def positive(text: str) -> int:
    """An integer of at least 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def add_coding_options(parser: argparse.ArgumentParser) -> None:
    """Add what encoding and decoding have in common."""
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="other weights: a .safetensors file, a run's folder or last.ckpt, a released checkpoint",
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda or auto (default: cuda where there is one)"
    )
    parser.add_argument("--threads", type=_threads, metavar="N", help="CPU threads (default: torch's choice)")
    parser.add_argument(
        "--precision",
        choices=("float32", "bf16"),
        default="float32",
        help="bf16: faster transforms, slightly other pixels (default: float32)",
    )
    parser.add_argument(
        "--max-pixels",
        type=positive,
        default=DEFAULT_MAX_PIXELS,
        metavar="N",
        help=f"refuse larger images (default: {DEFAULT_MAX_PIXELS})",
    )


def add_rate_options(parser: argparse.ArgumentParser) -> None:
    """Add a quality and three targets, of which one may be given."""
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--quality",
        type=float,
        metavar="Q",
        help=f"0 to 100, for weights of variable rate (default: {DEFAULT_QUALITY:g})",
    )
    rate.add_argument(
        "--target-bytes",
        type=int,
        metavar="N",
        help="find the quality for a file of 98 to 100 %% of N bytes",
    )
    rate.add_argument("--target-bpp", type=float, metavar="R", help="the same for a file of R bits a pixel")
    rate.add_argument(
        "--target-psnr", type=float, metavar="D", help="find the quality for D dB, or up to 0.05 dB more"
    )


def target_of(parser: argparse.ArgumentParser, args: argparse.Namespace) -> RateTarget | None:
    """The target among these options; a value that makes no sense ends the program with a sentence."""
    try:
        return parse_target(
            quality=args.quality,
            target_bytes=args.target_bytes,
            target_bpp=args.target_bpp,
            target_psnr=args.target_psnr,
        )
    except GlicError as error:
        parser.error(str(error))


def choose_device(name: str) -> str:
    """Return a device torch can use.

    Raises:
        GlicError: it cannot use the one that was asked for.
    """
    import torch

    from glic_pyg.codec.determinism import usable_device

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(usable_device(name))


def set_threads(count: int | None) -> None:
    """Limit torch to ``count`` CPU threads; by default to the cores that other programs leave.

    Threads that share a core wait for each other at the end of every operation. An environment that names
    a number of threads decides it.

    Raises:
        GlicError: there is no such number of threads, or it makes no sense on this machine.
    """
    import torch

    if count is not None:
        torch.set_num_threads(_checked_threads(count))
        return
    left = runtime.cores_left()
    if left is not None and left < torch.get_num_threads() and not os.environ.keys() & _DECIDED_BY:
        torch.set_num_threads(left)


_DECIDED_BY = {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}


def _checked_threads(count: int) -> int:
    most = max(16, 4 * (os.cpu_count() or 1))
    if not 1 <= count <= most:
        raise GlicError(f"The number of threads is 1 to {most} on this machine, not {count}.")
    return count


def _threads(text: str) -> int:
    """A number of threads, for argparse."""
    try:
        return _checked_threads(positive(text))
    except GlicError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
