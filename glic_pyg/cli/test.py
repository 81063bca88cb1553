"""``glic test``: our files and those of classical codecs on a data set, each over a ladder of qualities."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.progress import Progress

from glic_pyg.cli.options import add_coding_options, choose_device, set_threads
from glic_pyg.cli.test_output import OUTPUTS, check_outputs, print_means, write_outputs
from glic_pyg.codec.errors import GlicError

if TYPE_CHECKING:
    from torch import nn

    from glic_pyg.codec.image_codec import ImageCodec
    from glic_pyg.data.image_file import ImageFile
    from glic_pyg.evaluation.classical.contract import ClassicalCodec
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.measure import Rung

__all__ = ["main"]

_QUICK = ("jpeg", "jpeg2000", "webp", "avif", "jpegxl")
_FETCHED = ("kodak", "clic", "clic-test2021", "tecnick")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glic test",
        conflict_handler="resolve",
        description="Measure rate and distortion from real files: encode, write, read, decode, compare with "
        "the 8-bit original; classical codecs on the same images in the same run.",
        epilog=f"Writes {', '.join(OUTPUTS)}.",
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help="a folder, a list of files, a tar shard, or kodak, clic, tecnick below data/",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="shipped weights; give several for a curve",
    )
    add_coding_options(parser)
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="FILE",
        help="a weights file; give several for a curve",
    )
    parser.add_argument(
        "--codecs",
        default="quick",
        metavar="NAMES",
        help=f"quick ({', '.join(_QUICK)}; the default), all (also hevc, vvc, vtm), none, or a,b,c",
    )
    parser.add_argument("-o", "--output-dir", default="test", metavar="DIR", help="default: test")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite files that exist")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command: 0, or 1 if an image failed."""
    args = _parser().parse_args(argv)
    folder = Path(args.output_dir)
    check_outputs(folder, args.force)

    from glic_pyg.evaluation.comparison import learned_rung
    from glic_pyg.evaluation.measure import classical_rung
    from glic_pyg.evaluation.provenance import provenance
    from glic_pyg.models.weights import weights_hash

    set_threads(args.threads)
    device = choose_device(args.device)
    images = _images(args.data)
    classical = _classical(args.codecs)
    learned = _learned(args, device)
    rungs = [learned_rung(codec) for codec in learned]
    rungs += [classical_rung(codec, setting) for codec in classical for setting in codec.ladder]
    comparisons = _measure_all(rungs, images)
    if not comparisons:
        return 1
    hashes = {codec.name: weights_hash(cast("nn.Module", codec.model)) for codec in learned}
    how = provenance(["glic", "test", *argv], device, hashes)
    print_means(comparisons, how)
    sheet = (images[0].decode(), learned[len(learned) // 2], classical)
    write_outputs(folder, comparisons, how, sheet)
    return 0 if len(comparisons) == len(images) else 1


def _images(data: str) -> list[ImageFile]:
    """The pictures of a data set, in the order of their names.

    Raises:
        GlicError: there is none of that name, or not one picture in it.
    """
    from glic_pyg.data.catalogue import build_catalogue

    here = Path("data", data)
    if data in _FETCHED and not Path(data).exists() and not here.exists():
        raise GlicError(f"The data set {data} is not here; fetch it: glic data get {data} -o {here}")
    catalogue = build_catalogue(data if Path(data).exists() or not here.exists() else here)
    for line in catalogue.unreadable:
        _say(line)
    return list(catalogue.files)


def _learned(args: argparse.Namespace, device: str) -> list[ImageCodec]:
    """A codec for each of the weights that were named, else the default ones."""
    from glic_pyg.codec.api import codec_for_encoding

    how = {"device": device, "precision": args.precision, "max_pixels": args.max_pixels}
    named = [(name, None) for name in args.model] + [(None, path) for path in args.weights]
    return [codec_for_encoding(name, path, **how) for name, path in named or [(None, None)]]


def _classical(wanted: str) -> list[ClassicalCodec]:
    """The codecs to compare with; those that are not installed are named and left out.

    Raises:
        GlicError: there is no codec of a name.
    """
    from glic_pyg.evaluation.classical.all_codecs import CLASSICAL_CODECS

    groups = {"none": (), "quick": _QUICK, "all": tuple(CLASSICAL_CODECS)}
    names = groups.get(wanted, tuple(wanted.split(",")))
    if unknown := [name for name in names if name not in CLASSICAL_CODECS]:
        raise GlicError(f"There is no codec {unknown[0]}; there are {', '.join(CLASSICAL_CODECS)}.")
    found = []
    for codec in (CLASSICAL_CODECS[name] for name in names):
        if needed := codec.missing():
            _say(f"{codec.title} is left out; it needs {needed}")
        else:
            found.append(codec)
    return found


def _measure_all(rungs: Sequence[Rung], images: Sequence[ImageFile]) -> list[Comparison]:
    """Measure one image after the other; one that fails is named and the others go on."""
    from glic_pyg.data.image_file import UnreadableImage
    from glic_pyg.evaluation.comparison import measure_ladder

    console, found = Console(stderr=True), []
    with (
        TemporaryDirectory() as folder,
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("images", total=len(images))
        for image in images:
            name = Path(image.member or image.path).stem
            bar.update(task, description=name)
            try:
                found.append(measure_ladder(rungs, name, image.decode(), Path(folder)))
            except (GlicError, UnreadableImage) as error:
                _say(f"{name}: {error}")
            bar.advance(task)
    return found


def _say(what: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(f"glic test: {what}")
