"""The files of ``glic inspect``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from glic_pyg.cli.console import shown
from glic_pyg.cli.inspect_fields import fields_of_training, grid_of_fields, small_enough
from glic_pyg.cli.inspect_subjects import Subject
from glic_pyg.cli.paths import check_output
from glic_pyg.errors import GlicError
from glic_pyg.files import publish, staging_folder, write_file
from glic_pyg.inspection.export_files import export_files, graphml_sizes
from glic_pyg.inspection.figures import (
    Pixel,
    bits_and_error_figure,
    degree_figure,
    example_pixels,
    field_figure,
    neighbourhood_figure,
)
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.page import write_page

__all__ = ["export", "write_figures", "write_html"]

_KINDS = ("png", "svg", "pdf")


def export(seen: Inspection, path: Path, *, source: str, force: bool) -> None:
    """Write one export, each of its files atomically.

    Args:
        seen: what to export.
        path: one of :data:`EXPORT_SUFFIXES` at its end says how.
        source: the image, which is never overwritten.
        force: overwrite files that exist.

    Raises:
        GlicError: a file is there and ``force`` is off.
    """
    writers = export_files(seen, path)
    for target in writers:
        check_output(target, force=force, sources=[source])
    if sizes := graphml_sizes(seen, path):
        total = f"{len(sizes)} GraphML files, about {sum(sizes.values()) / 1e6:,.0f} MB"
        print(f"inspect: writing {total} ...", file=sys.stderr, flush=True)
    with staging_folder(path.parent) as folder:
        for target, write in writers.items():
            write(folder / target.name)
            publish(folder / target.name, target, overwrite=force)
            print(f"  {shown(target)}")


def write_figures(subject: Subject, pixels: Sequence[Pixel], folder: Path, *, force: bool) -> None:
    """Write every figure there is for a subject, as PNG, SVG and PDF.

    Args:
        subject: what was seen.
        pixels: places to show, rows and columns; none stands for three example nodes.
        folder: where to write; made if it is not there.
        force: overwrite files that exist.

    Raises:
        GlicError: a place is not on the photo, or a file is there and ``force`` is off.
    """
    seen, (height, width) = subject.seen, subject.seen.size
    for row, column in pixels:
        if row >= height or column >= width:
            raise GlicError(f"The place {column},{row} is not on a photo of {width} x {height} pixels.")
    folder.mkdir(parents=True, exist_ok=True)
    targets = {
        folder / f"{Path(seen.name).stem}.{name}.{kind}": partial(make, kind=kind)
        for name, make in _figures(subject, pixels).items()
        for kind in _KINDS
    }
    for target in targets:
        check_output(target, force=force)
    for target, make in targets.items():
        write_file(target, make(), overwrite=force)
        print(f"  {shown(target)}")


def _figures(subject: Subject, pixels: Sequence[Pixel]) -> dict[str, Callable[..., bytes]]:
    """What makes each figure, given the kind of file; nothing is computed before."""
    seen = subject.seen
    figures: dict[str, Callable[..., bytes]] = {"bits_and_error": partial(bits_and_error_figure, seen)}
    middle = (seen.size[0] // 2, seen.size[1] // 2)
    chosen = list(pixels) or (example_pixels(seen) if seen.blocks else [middle])
    if seen.blocks:
        figures["degrees"] = partial(degree_figure, seen)
        figures["neighbourhoods"] = partial(neighbourhood_figure, seen, chosen)
    if small_enough(seen):
        fields = cache(partial(fields_of_training, subject, chosen))
        figures["receptive_fields"] = lambda kind: field_figure(fields(), kind)
    return figures


def write_html(subjects: Sequence[Subject], path: Path, field_count: int) -> None:
    """Write the page of one or two subjects.

    Raises:
        GlicError: a model builds no graphs.
    """
    for subject in subjects:
        if not subject.seen.blocks:
            raise GlicError(
                f"{subject.seen.weights} builds no graphs, so there is nothing for a page to show."
            )
    first, *rest = subjects
    fields = [grid_of_fields(subject, field_count) for subject in subjects]
    write_page(
        first.seen,
        path,
        fields=fields[0],
        second=rest[0].seen if rest else None,
        second_fields=fields[1] if rest else None,
    )
    print(f"  {shown(path)}  {path.stat().st_size / 1e6:.1f} MB")
