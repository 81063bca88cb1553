"""What ``make results`` writes: sections and figures in docs/, all numbers beside the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.marked_section import replace_section
from benchmarks.results.figures import crop_sheet, gain_bars, median_picture, worst_picture
from benchmarks.results.measuring import Measured
from benchmarks.results.page import Context, kodak_section, ood_section
from glic_pyg.codec.goal import Goal
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.evaluation.classical.pillow import PillowCodec
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.curve import METRICS
from glic_pyg.evaluation.curves_figure import curves_figure, with_metric
from glic_pyg.evaluation.curves_page import curves_page
from glic_pyg.evaluation.ladder_tables import as_markdown
from glic_pyg.evaluation.measured_curves import IMAGES
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.published import published_curves
from glic_pyg.evaluation.standing import Standing, mean_curves, standings
from glic_pyg.evaluation.summary import as_csv, as_json
from glic_pyg.files import write_file

__all__ = ["Places", "write_kodak", "write_ood"]

BESIDE = ("VTM-9.1", "BPG 4:4:4", "bmshj2018-hyperprior", "GLIC")
"""Published curves that the figures show beside measured ones."""
RIGHT = 1.4


class Places(NamedTuple):
    """Folders: of all numbers, and of the pages."""

    numbers: Path
    docs: Path

    def image(self, name: str, data: bytes) -> None:
        """Write ``docs/images/results-NAME``."""
        (self.docs / "images").mkdir(parents=True, exist_ok=True)
        write_file(self.docs / "images" / f"results-{name}", data)

    def section(self, name: str, text: str) -> None:
        """Put a section into ``docs/results.md``."""
        page = self.docs / "results.md"
        before = page.read_text(encoding="utf-8") if page.is_file() else "# Results\n"
        write_file(page, replace_section(before, f"results: {name}", text))


def write_kodak(measured: Measured, codec: ImageCodec, how: Provenance, places: Places) -> None:
    """Section, curves by both metrics, crops, numbers."""
    [[name, comparisons]] = measured.comparisons.items()
    published = dict(published_curves(name)) if len(comparisons) == IMAGES[name] else {}
    curves = mean_curves(comparisons)
    beside = [
        replace(published[codec], name=f"{codec} (published)") for codec in BESIDE if codec in published
    ]
    title = f"Mean of the {len(comparisons)} Kodak images"
    for metric in (metric for metric in METRICS if with_metric(curves, metric)):
        for kind in ("png", "svg"):
            figure = curves_figure(curves, metric, title, beside=beside, right=RIGHT, kind=kind)
            places.image(f"kodak-{metric}.{kind}", figure)
    places.image("kodak.html", curves_page([*curves, *beside], title).encode())
    shown = median_picture(_over_webp(comparisons))
    places.image("kodak-crops.png", _crops(measured, name, shown, codec))
    _write_numbers(measured.comparisons, how, places)
    places.section("kodak", kodak_section(comparisons, published, shown, _context(measured, how)))


def write_ood(
    measured: Measured, kodak: Measured | None, codec: ImageCodec, how: Provenance, places: Places
) -> None:
    """Section, bars, crops, numbers.

    Args:
        kodak: the photographs, for the bars.
    """
    found = {name: standings(comparisons) for name, comparisons in measured.comparisons.items()}
    others = {standing.other for standing in next(iter(found.values()))}
    photographs = {
        name: [standing for standing in standings(comparisons) if standing.other in others]
        for name, comparisons in (kodak.comparisons if kodak else {}).items()
    }
    context = _context(measured, how)
    for kind in ("png", "svg"):
        places.image(f"ood-bars.{kind}", gain_bars({**photographs, **found}, context.ours, kind))
    number, shown = worst_picture([_over_webp(comparisons) for comparisons in measured.comparisons.values()])
    name = list(measured.comparisons)[number]
    places.image("ood-crops.png", _crops(measured, name, shown, codec))
    _write_numbers(measured.comparisons, how, places)
    side = measured.sets[0].side
    places.section("ood", ood_section(measured.comparisons, f"{name}/{shown}", side, context))


def _over_webp(comparisons: Sequence[Comparison]) -> Standing:
    """Against WebP, or the last codec there is."""
    found = standings(comparisons)
    return next((standing for standing in found if standing.other == "WebP"), found[-1])


def _crops(measured: Measured, name: str, image: str, codec: ImageCodec) -> bytes:
    """The crop sheet of one picture, at our middle step."""
    pictures = next(pictures for pictures in measured.sets if pictures.name == name)
    file = next(file for file in pictures.files if file.stem == image)
    setting = _middle(measured)[1]
    goal = Goal("quality", float(setting.split()[-1])) if codec.variable_rate else None
    quick = [rival for rival in measured.classical if isinstance(rival, PillowCodec)]
    return crop_sheet(pictures.pixels(file), codec, goal, quick)


def _middle(measured: Measured) -> tuple[int, str]:
    """Number and name of our step in the middle."""
    first = next(iter(measured.comparisons.values()))[0]
    return measured.steps // 2, first.codecs[measured.steps // 2].setting


def _context(measured: Measured, how: Provenance) -> Context:
    first = next(iter(measured.comparisons.values()))[0]
    middle, step = _middle(measured)
    versions = {codec.title: codec.version() for codec in measured.classical}
    return Context(first.codecs[0].codec, step, middle, versions, measured.missing, how, measured.origins)


def _write_numbers(sets: Mapping[str, Sequence[Comparison]], how: Provenance, places: Places) -> None:
    """Every file of every codec: JSON, CSV and Markdown."""
    for name, comparisons in sets.items():
        folder = places.numbers / name
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / "results.json", as_json(comparisons, how))
        write_file(folder / "results.csv", as_csv(comparisons))
        write_file(folder / "tables.md", as_markdown(comparisons, how))
