"""What ``glic test`` prints and writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from glic_pyg.cli.console import FileBatch
from glic_pyg.errors import GlicError
from glic_pyg.files import write_file

if TYPE_CHECKING:
    from glic_pyg.cli.test_inputs import TitledCodec
    from glic_pyg.codec.picture import Picture
    from glic_pyg.evaluation.baselines.base import Baseline
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.provenance import Provenance

    Sheet = tuple[Callable[[], Picture], TitledCodec, Sequence[Baseline]]

__all__ = [
    "OUTPUTS",
    "check_output_folder",
    "metrics_of",
    "print_means",
    "write_results",
    "write_tables_and_figures",
]

OUTPUTS = (
    "results.json", "results.csv", "tables.md", "curves.html", "crops.png",
    "curves-psnr.png", "curves-psnr.svg", "curves-ms-ssim.png", "curves-ms-ssim.svg",
)  # fmt: skip
_METRICS = ("bpp", "psnr", "ms_ssim_db", "encode_seconds", "decode_seconds")
_CROP = 160


def check_output_folder(folder: Path) -> None:
    """Make the folder, and find out before the work whether it holds results already.

    Raises:
        GlicError: it does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if taken := [name for name in OUTPUTS if (folder / name).exists()]:
        raise GlicError(f"{folder / taken[0]} exists already; choose another name=...")


def metrics_of(comparisons: Sequence[Comparison], ours: int) -> dict[str, float]:
    """Means of our own files by name; of several steps, with codec and setting of each.

    What is infinite has no place among them. A mean of fewer images than there are comes with their number.

    Args:
        comparisons: what was measured.
        ours: how many steps are ours; they come first.
    """
    from glic_pyg.evaluation.summary import means

    metrics: dict[str, float] = {}
    for mean in means(comparisons)[:ours]:
        whose = f"test/{mean.codec}/{mean.setting}/" if ours > 1 else "test/"
        for name in _METRICS:
            value = getattr(mean, name)
            if value is None or not math.isfinite(value):
                continue
            metrics[f"{whose}{name}"] = value
            if (count := getattr(mean, f"{name}_images", mean.images)) < mean.images:
                metrics[f"{whose}{name}_images"] = count
    return metrics


def print_means(comparisons: Sequence[Comparison], how: Provenance) -> None:
    """Print the means of every codec and setting."""
    from glic_pyg.evaluation.tables import MEAN_HEADER, PEAK_NOTE, mean_rows, print_table

    title = f"Mean of {len(comparisons)} images"
    print_table(MEAN_HEADER, mean_rows(comparisons), left=2, title=title, caption=PEAK_NOTE)
    print(how)


def write_results(folder: Path, comparisons: Sequence[Comparison], how: Provenance) -> None:
    """Write all numbers.

    Args:
        folder: where they go.
        comparisons: what was measured, the points of the learned codec first.
        how: command, machine, weights and date.
    """
    from glic_pyg.evaluation.summary import as_csv, as_json

    write_file(folder / "results.json", as_json(comparisons, how))
    write_file(folder / "results.csv", as_csv(comparisons))


def write_tables_and_figures(
    folder: Path, comparisons: Sequence[Comparison], how: Provenance, sheet: Sheet
) -> tuple[int, int]:
    """Make tables and draw what can be drawn; what fails is named and the next one is made.

    Figures of MS-SSIM need images that are large enough, and all curves files with an error.

    Args:
        folder, comparisons, how: as for :func:`write_results`, whose files are listed too.
        sheet: for the crops: what reads a picture, the codec that says how many bytes are spent, and the
            others.

    Returns:
        How many of them failed, and of how many.
    """
    from glic_pyg.evaluation.curve_plots import curves_figure, curves_page, with_metric
    from glic_pyg.evaluation.curves import METRICS
    from glic_pyg.evaluation.summary import comparable, mean_curves
    from glic_pyg.evaluation.tables import sweep_page

    count, of = len(comparable(comparisons)), len(comparisons)
    title = f"Mean of {of} images" if count == of else f"Mean of {count} of {of} images"
    curves = mean_curves(comparisons, how.command)
    right = max((rate for curve in curves for rate in curve.bpp), default=None)
    makers: dict[str, Callable[[], str | bytes]] = {
        "tables.md": partial(sweep_page, comparisons, how),
        "crops.png": partial(_crop_sheet, *sheet),
    }
    if right is not None:
        makers["curves.html"] = partial(curves_page, curves, title)
    for metric in (metric for metric in METRICS if with_metric(curves, metric)):
        for kind in ("png", "svg"):
            makers[f"curves-{metric}.{kind}"] = partial(
                curves_figure, curves, metric, title, right=right, kind=kind
            )
    with FileBatch("test", len(makers), summary=False) as batch:
        for name, make in makers.items():
            with batch.file(name):
                write_file(folder / name, make())
    for name in OUTPUTS:
        if (folder / name).exists():
            print(f"  {folder / name}")
    return batch.failed, len(makers)


def _crop_sheet(read: Callable[[], Picture], codec: TitledCodec, rivals: Sequence[Baseline]) -> bytes:
    """A detail of one picture: original, ours, and every other codec at the bytes nearest to ours."""
    from glic_pyg.evaluation.measure import quality_of
    from glic_pyg.evaluation.rate_matching import nearest
    from glic_pyg.evaluation.tables import number_cell
    from glic_pyg.inspection.figures import crop_figure, detailed_corner

    original = read().colour
    ours = codec.encode(original).data
    files = {codec.name: (ours, codec.decode(ours).array)}
    for rival in rivals:
        data = nearest(rival, original, len(ours)).data
        files[rival.title] = (data, rival.decode(data, original.shape))
    panels = {"Original": (original, f"{original.nbytes:,} bytes")}
    for title, (data, decoded) in files.items():
        psnr = number_cell(quality_of(decoded, original).psnr, ".2f")
        panels[title] = (decoded, f"{len(data):,} bytes · {psnr} dB")
    return crop_figure(panels, detailed_corner(original, _CROP), _CROP)
