"""``glic convert``: a checkpoint as the authors released it, as a weights file of this project."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    parser = argparse.ArgumentParser(
        prog="glic convert",
        description="Check a released checkpoint, without executing anything in it, and write its weights.",
    )
    parser.add_argument("checkpoint", help="a released .pth.tar file")
    parser.add_argument("weights", help="the .safetensors file to write")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite a file that exists")
    args = parser.parse_args(argv)

    from glic_pyg.cli.paths import check_output
    from glic_pyg.errors import GlicError
    from glic_pyg.models.released import load_released
    from glic_pyg.models.weights import save_weights, weights_hash

    if Path(args.weights).suffix != ".safetensors":
        raise GlicError(f"{args.weights} must end in .safetensors, which is what other commands look for.")
    check_output(args.weights, force=args.force, sources=[args.checkpoint])
    try:
        model = load_released(args.checkpoint)
    except ValueError as error:
        raise GlicError(str(error)) from error
    digest = weights_hash(model)
    try:
        save_weights(args.weights, model, {"source": Path(args.checkpoint).name, "weights_hash": digest})
    except OSError as error:
        raise GlicError(f"{args.weights} could not be written ({error.strerror}).") from error
    print(f"{args.weights}: {sum(p.numel() for p in model.parameters()):,} parameters, hash {digest[:16]}")
    return 0
