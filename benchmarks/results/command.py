"""Measure what is not measured yet, then write tables and figures into docs/.

python -m benchmarks.results --kodak data/kodak --ood data/ood
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.results.measuring import Measured, measured_sets
from benchmarks.results.pictures import find_sets
from benchmarks.results.writing import Places, write_kodak, write_ood
from glic_pyg.cli.options import choose_device
from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.errors import GlicError
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.evaluation.learned_ladder import QUALITIES
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.models.weights import weights_hash

__all__ = ["main"]

DOCS = Path(__file__).parent.parent.parent / "docs"
ON_KODAK = "jpeg,jpeg2000,webp,avif,jpegxl,hevc,vvc,vtm"
OUT_OF_DOMAIN, OOD_QUALITIES = "jpeg,webp,avif", (0.0, 25.0, 50.0, 75.0, 100.0)
_UNSAID = ("kodak", "ood", "kept", "output_dir", "docs", "threads")
"""Arguments that are left out of the command as it is written down: paths, and what the machine tells."""


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--kodak", type=Path, default=Path("data/kodak"), metavar="DIR")
    add("--ood", type=Path, default=Path("data/ood"), metavar="DIR", help="a set in each of its folders")
    add("--ood-side", type=int, default=768, metavar="N", help="of larger ones the centre (768); 0: all")
    add("--model", action="append", default=[], metavar="NAME", help="shipped weights; the first are ours")
    add("--weights", action="append", default=[], metavar="FILE", help="a weights file")
    add("--qualities", type=_numbers, default=QUALITIES, metavar="Q,Q,...", help="on Kodak")
    add("--ood-qualities", type=_numbers, default=OOD_QUALITIES, metavar="Q,Q,...")
    add("--codecs", default=ON_KODAK, metavar="NAMES", help=f"on Kodak (default: {ON_KODAK})")
    add("--classical-only", action="store_true", help="measure the classical codecs and write nothing")
    add("--device", default="auto")
    add("--threads", type=int, default=torch.get_num_threads())
    add("--kept", type=Path, default=Path("runs/results/measurements.jsonl"), metavar="FILE")
    add("--output-dir", type=Path, default=Path("runs/results"), metavar="DIR", help="all numbers go there")
    add("--docs", type=Path, default=DOCS, metavar="DIR", help="results.md and images/ are in it")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; 0, or 1 with a sentence."""
    parser = _parser()
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        _run(args, _command(parser, args))
    except (GlicError, OSError) as error:
        print(f"results: {error}", file=sys.stderr)
        return 1
    return 0


def _run(args: argparse.Namespace, command: Sequence[str]) -> None:
    kodak, ood = find_sets(args.kodak, args.ood, args.ood_side or None)
    device = choose_device(args.device)
    learned = [] if args.classical_only else _learned(args, device)
    on_kodak: Measured | None = None
    if kodak:
        on_kodak = measured_sets([kodak], learned, args.qualities, args.codecs, args.kept)
    elsewhere: Measured | None = None
    if ood:
        elsewhere = measured_sets(ood, learned, args.ood_qualities, OUT_OF_DOMAIN, args.kept)
    if not learned:
        return
    how = provenance(command, device, {codec.name: weights_hash(codec.model) for codec in learned})
    places = Places(args.output_dir, args.docs)
    if on_kodak:
        write_kodak(on_kodak, learned[0], how, places)
    if elsewhere:
        write_ood(elsewhere, on_kodak, learned[0], how, places)


def _learned(args: argparse.Namespace, device: str) -> list[ImageCodec]:
    """A codec for each of the weights that were named, else the default ones."""
    named = [(name, None) for name in args.model] + [(None, path) for path in args.weights]
    return [codec_for_encoding(name, path, device=device) for name, path in named or [(None, None)]]


def _command(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """The command without paths, which differ from machine to machine: data/kodak and data/ood are meant."""
    words = []
    for name, value in vars(args).items():
        if name in _UNSAID or value == parser.get_default(name):
            continue
        for one in value if isinstance(value, list) else [value]:
            words.append(f"--{name.replace('_', '-')}")
            words.append(",".join(f"{number:g}" for number in one) if isinstance(one, tuple) else str(one))
    return ["make", "results", *([f"ARGS={' '.join(words)}"] if words else [])]
