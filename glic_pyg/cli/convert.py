"""``glic convert``: a released checkpoint, or one of a run, as a weights file of this project."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main", "make_parser"]


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic convert",
        description="Check a checkpoint, without executing anything in it, and write its weights. It is of a "
        "run of glic train, or one that the authors of GLIC, MLIC++ or CompressAI released.",
    )
    parser.add_argument("checkpoint", help="a released .pth.tar file, a run's last.ckpt or its folder")
    parser.add_argument("weights", help="the .safetensors file to write")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite a file that exists")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    args = make_parser().parse_args(argv)

    from glic_pyg.cli.paths import check_output
    from glic_pyg.codec.weights_store import load_from_path
    from glic_pyg.errors import GlicError
    from glic_pyg.models.weights import save_weights

    if Path(args.weights).suffix != ".safetensors":
        raise GlicError(f"{args.weights} must end in .safetensors, which is what other commands look for.")
    check_output(args.weights, force=args.force, sources=[args.checkpoint])
    found = load_from_path(Path(args.checkpoint))
    card = {"source": Path(args.checkpoint).name, "weights_hash": found.hash}
    try:
        save_weights(args.weights, found.model, card)
    except OSError as error:
        raise GlicError(f"{args.weights} could not be written ({error.strerror}).") from error
    count = sum(parameter.numel() for parameter in found.model.parameters())
    print(f"{args.weights}: {count:,} parameters, hash {found.hash[:16]}")
    return 0
