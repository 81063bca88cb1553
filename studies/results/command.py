"""Measure what is not measured yet, then write tables and figures into docs/.

python -m studies.results --kodak data/kodak --ood data/ood
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from glic_pyg.cli.options import choose_device
from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.effort import HIGHEST_EFFORT
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines.pillow import PillowCodec
from glic_pyg.evaluation.comparison import QUALITIES, Comparison
from glic_pyg.evaluation.curve_plots import curves_figure, curves_page, with_metric
from glic_pyg.evaluation.curves import METRICS, SET_SIZES
from glic_pyg.evaluation.provenance import Provenance, provenance
from glic_pyg.evaluation.published import WELL_KNOWN, published_curves
from glic_pyg.evaluation.summary import BDSummary, as_csv, as_json, bd_summaries, mean_curves
from glic_pyg.evaluation.tables import sweep_page
from glic_pyg.files import write_file
from glic_pyg.models.weights import weights_hash
from studies.images import find_test_sets
from studies.page import DOCS, make_command, read_data, write_data, write_image, write_section
from studies.results.figures import crop_sheet, gain_bars, median_image, worst_image
from studies.results.measuring import MeasuredSets, TestSet, at_effort, measure_sets, our_points
from studies.results.numbers import (
    AGAINST_ANCHOR,
    DELTAS,
    POINTS,
    anchor_rows,
    delta_rows,
    point_rows,
    row_of_bd_rates,
)
from studies.results.page import Context, against_anchor, kodak_section, ood_section

__all__ = ["main", "write_front", "write_kodak", "write_ood"]

ON_KODAK = "jpeg,jpeg2000,webp,avif,jpegxl,hevc,vvc,vtm"
OUT_OF_DOMAIN, FIVE_QUALITIES = "jpeg,webp,avif", (0.0, 25.0, 50.0, 75.0, 100.0)
_UNRECORDED = ("kodak", "ood", "kept", "output_dir", "docs", "threads")
"""Arguments that are left out of the recorded command: paths, and what the machine tells."""
BESIDE = ("VTM-9.1", "BPG 4:4:4", "bmshj2018-hyperprior", "GLIC")
"""Published curves that the figures show beside measured ones."""
RIGHT = 1.4
FRONT = ("../README.md", "index.md")
"""Pages, from the docs, in which the row of BD-rates on Kodak has its place."""


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.results", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--kodak", type=Path, default=Path("data/kodak"), metavar="DIR")
    add("--ood", type=Path, default=Path("data/ood"), metavar="DIR", help="a set in each of its folders")
    add("--ood-side", type=int, default=768, metavar="N", help="of larger ones the centre (768); 0: all")
    add("--model", action="append", default=[], metavar="NAME", help="shipped weights; the first are ours")
    add("--weights", action="append", default=[], metavar="FILE", help="a weights file")
    add("--qualities", type=_numbers, default=QUALITIES, metavar="Q,Q,...", help="on Kodak")
    add("--ood-qualities", type=_numbers, default=FIVE_QUALITIES, metavar="Q,Q,...")
    add("--effort", type=int, action="append", default=[], choices=range(1, HIGHEST_EFFORT + 1),
        help="on Kodak our codec at this effort, too; minutes an image")  # fmt: skip
    add("--effort-qualities", type=_numbers, default=FIVE_QUALITIES, metavar="Q,Q,...")
    add("--codecs", default=ON_KODAK, metavar="NAMES", help=f"on Kodak (default: {ON_KODAK})")
    add("--classical-only", action="store_true", help="measure the classical codecs and write nothing")
    add("--device", default="auto")
    add("--threads", type=int, default=torch.get_num_threads())
    add("--kept", type=Path, default=Path("runs/results/measurements.jsonl"), metavar="FILE")
    add("--output-dir", type=Path, default=Path("runs/results"), metavar="DIR", help="all numbers go there")
    add("--docs", type=Path, default=DOCS, metavar="DIR", help="results.md and images/ are in it")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; 0, or 1 with a sentence."""
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
    folders, _ = find_test_sets(args.kodak, args.ood)
    sides = {name: None if name == "kodak" else args.ood_side or None for name in folders}
    sets = [TestSet.of(name, folder, sides[name]) for name, folder in folders.items()]
    kodak, ood = sets[: "kodak" in folders], sets["kodak" in folders :]
    device = choose_device(args.device)
    learned = [] if args.classical_only else _learned(args, device)
    ours = our_points(learned, args.qualities)
    for level in args.effort if learned else ():
        ours += at_effort(learned[0], level, args.effort_qualities)
    on_kodak = measure_sets(kodak, ours, args.codecs, args.kept) if kodak else None
    of_ood = our_points(learned, args.ood_qualities)
    on_ood = measure_sets(ood, of_ood, OUT_OF_DOMAIN, args.kept) if ood else None
    if not learned:
        return
    how = provenance(command, device, {codec.name: weights_hash(codec.model) for codec in learned})
    for measured in filter(None, (on_kodak, on_ood)):
        _write_numbers(args.output_dir, measured, how)
    if on_kodak:
        write_kodak(args.docs, on_kodak, learned[0], how)
    if on_ood:
        write_ood(args.docs, on_ood, on_kodak, learned[0], how)


def _learned(args: argparse.Namespace, device: str) -> list[ImageCodec]:
    """A codec for each of the named weights, or for the default ones."""
    named = [(name, None) for name in args.model] + [(None, path) for path in args.weights]
    return [codec_for_encoding(name, path, device=device) for name, path in named or [(None, None)]]


def _command(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """The command without paths, which differ between machines; data/kodak and data/ood are meant."""
    words = []
    for name, value in vars(args).items():
        if name in _UNRECORDED or value == parser.get_default(name):
            continue
        for one in value if isinstance(value, list) else [value]:
            words.append(f"--{name.replace('_', '-')}")
            words.append(",".join(f"{number:g}" for number in one) if isinstance(one, tuple) else str(one))
    return make_command("results", words)


def write_kodak(docs: Path, measured: MeasuredSets, codec: ImageCodec, how: Provenance) -> None:
    """Write the section, the curves by both metrics, and the crops."""
    [[name, comparisons]] = measured.comparisons.items()
    known = published_curves(name) if len(comparisons) == SET_SIZES[name] else {}
    published = {codec: curve for codec, curve in known.items() if codec in WELL_KNOWN}
    curves = mean_curves(comparisons)
    beside = [
        replace(published[codec], name=f"{codec} (published)") for codec in BESIDE if codec in published
    ]
    title = f"Mean of the {len(comparisons)} Kodak images"
    for metric in (metric for metric in METRICS if with_metric(curves, metric)):
        for kind in ("png", "svg"):
            figure = curves_figure(curves, metric, title, beside=beside, right=RIGHT, kind=kind)
            write_image(docs, f"results-kodak-{metric}.{kind}", figure)
    write_image(docs, "results-kodak.html", curves_page([*curves, *beside], title).encode())
    shown = median_image(_over_webp(comparisons))
    write_image(docs, "results-kodak-crops.png", _crops(measured, name, shown, codec))
    section = kodak_section(comparisons, published, shown, _context(measured, how))
    write_section(docs / "results.md", "results: kodak", section)
    _write_data(docs, "kodak", measured.comparisons, measured.learned, how)
    if published:
        found = against_anchor(curves, published)
        write_data(docs, "results-kodak-anchor.tsv", AGAINST_ANCHOR, anchor_rows(name, found, how))
    write_front(docs)


def write_front(docs: Path) -> None:
    """Write the row of BD-rates on Kodak, from the data in the docs, into the pages that begin with it."""
    anchored = docs / "data/results-kodak-anchor.tsv"
    row = row_of_bd_rates(
        read_data(docs, "results-kodak-bd.tsv"), read_data(docs, anchored.name) if anchored.is_file() else ()
    )
    for page in (docs / name for name in FRONT):
        if page.is_file() and "<!-- results: row: begin" in page.read_text(encoding="utf-8"):
            write_section(page, "results: row", row)


def _write_data(
    docs: Path,
    name: str,
    sets: Mapping[str, Sequence[Comparison]],
    learned: Sequence[str],
    how: Provenance,
) -> None:
    write_data(docs, f"results-{name}.tsv", POINTS, point_rows(sets, how))
    write_data(docs, f"results-{name}-bd.tsv", DELTAS, delta_rows(sets, learned, how))


def write_ood(
    docs: Path, measured: MeasuredSets, kodak: MeasuredSets | None, codec: ImageCodec, how: Provenance
) -> None:
    """Write the section, the bars with those of Kodak beside them, and the crops."""
    found = {name: bd_summaries(comparisons) for name, comparisons in measured.comparisons.items()}
    others = {summary.other for summary in next(iter(found.values()))}
    photographs = {
        name: [summary for summary in bd_summaries(comparisons) if summary.other in others]
        for name, comparisons in (kodak.comparisons if kodak else {}).items()
    }
    context = _context(measured, how)
    for kind in ("png", "svg"):
        write_image(docs, f"results-ood-bars.{kind}", gain_bars({**photographs, **found}, context.ours, kind))
    number, shown = worst_image([_over_webp(comparisons) for comparisons in measured.comparisons.values()])
    name = list(measured.comparisons)[number]
    write_image(docs, "results-ood-crops.png", _crops(measured, name, shown, codec))
    side = measured.sets[0].side
    section = ood_section(measured.comparisons, f"{name}/{shown}", side, context)
    write_section(docs / "results.md", "results: ood", section)
    everything = [comparison for comparisons in measured.comparisons.values() for comparison in comparisons]
    _write_data(docs, "ood", {**measured.comparisons, "overall": everything}, measured.learned, how)


def _over_webp(comparisons: Sequence[Comparison]) -> BDSummary:
    """Our codec against WebP, or against the last codec."""
    found = bd_summaries(comparisons)
    return next((summary for summary in found if summary.other == "WebP"), found[-1])


def _crops(measured: MeasuredSets, name: str, image: str, codec: ImageCodec) -> bytes:
    """The crop sheet of one image, at our middle operating point."""
    images = next(images for images in measured.sets if images.name == name)
    file = next(file for file in images.files if file.stem == image)
    setting = _middle(measured)[1]
    target = RateTarget("quality", float(setting.split()[-1])) if codec.variable_rate else None
    fast = [baseline for baseline in measured.baselines if isinstance(baseline, PillowCodec)]
    return crop_sheet(images.pixels(file), codec, target, fast)


def _middle(measured: MeasuredSets) -> tuple[int, str]:
    """Number and setting of our middle operating point."""
    first = next(iter(measured.comparisons.values()))[0]
    return measured.points // 2, first.codecs[measured.points // 2].setting


def _context(measured: MeasuredSets, how: Provenance) -> Context:
    middle, setting = _middle(measured)
    versions = {codec.title: codec.version() for codec in measured.baselines}
    return Context(measured.learned, setting, middle, versions, measured.missing, how, measured.origins)


def _write_numbers(output: Path, measured: MeasuredSets, how: Provenance) -> None:
    """Write all measurements as JSON, CSV and Markdown, in a folder for each set."""
    for name, comparisons in measured.comparisons.items():
        folder = output / name
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / "results.json", as_json(comparisons, how))
        write_file(folder / "results.csv", as_csv(comparisons))
        write_file(folder / "tables.md", sweep_page(comparisons, how))
