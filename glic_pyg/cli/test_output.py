"""What ``glic test`` prints and writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from glic_pyg.codec.errors import GlicError
from glic_pyg.files import write_file

if TYPE_CHECKING:
    from glic_pyg.cli.test_inputs import TitledCodec
    from glic_pyg.evaluation.classical.contract import ClassicalCodec, Pixels
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.provenance import Provenance

    Sheet = tuple[Pixels, TitledCodec, Sequence[ClassicalCodec]]

__all__ = ["OUTPUTS", "check_output_folder", "figures_of", "print_means", "write_outputs"]

OUTPUTS = (
    "results.json", "results.csv", "tables.md", "curves.html", "crops.png",
    "curves-psnr.png", "curves-psnr.svg", "curves-ms-ssim.png", "curves-ms-ssim.svg",
)  # fmt: skip
_FIGURES = ("bpp", "psnr", "ms_ssim_db", "encode_seconds", "decode_seconds")
_CROP = 160


def check_output_folder(folder: Path) -> None:
    """Make the folder, and find out before the work whether it holds results already.

    Raises:
        GlicError: it does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if taken := [name for name in OUTPUTS if (folder / name).exists()]:
        raise GlicError(f"{folder / taken[0]} exists already; choose another name=...")


def figures_of(comparisons: Sequence[Comparison], ours: int) -> dict[str, float]:
    """Means of our own files by name; of several steps, with codec and setting of each.

    Args:
        comparisons: what was measured.
        ours: how many steps are ours; they come first.
    """
    from glic_pyg.evaluation.summary import means

    figures: dict[str, float] = {}
    for mean in means(comparisons)[:ours]:
        whose = f"{mean.codec}/{mean.setting}/" if ours > 1 else ""
        values = {name: getattr(mean, name) for name in _FIGURES}
        figures |= {f"test/{whose}{name}": value for name, value in values.items() if value is not None}
    return figures


def print_means(comparisons: Sequence[Comparison], how: Provenance) -> None:
    """Print the means of every codec and setting."""
    from glic_pyg.evaluation.ladder_tables import HEADER, PEAK, mean_rows

    table = Table(title=f"Mean of {len(comparisons)} images", box=None, header_style="bold", pad_edge=False)
    for number, title in enumerate(HEADER):
        table.add_column(title, justify="left" if number < 2 else "right", no_wrap=True)
    for row in mean_rows(comparisons):
        table.add_row(*row)
    table.caption, table.caption_justify = PEAK, "left"
    console = Console(highlight=False)
    console.width = max(console.width, 140 if not console.is_terminal else 0)
    console.print(table)
    print(how)


def write_outputs(folder: Path, comparisons: Sequence[Comparison], how: Provenance, sheet: Sheet) -> None:
    """Write every file of :data:`OUTPUTS`; figures of MS-SSIM only if the images are large enough for it.

    Args:
        folder: where they go.
        comparisons: what was measured, the rungs of the learned codec first.
        how: command, machine, weights and date.
        sheet: for the crops: a picture, the codec that says how many bytes are spent, and the others.
    """
    from glic_pyg.evaluation.curve import METRICS
    from glic_pyg.evaluation.curves_figure import curves_figure, with_metric
    from glic_pyg.evaluation.curves_page import curves_page
    from glic_pyg.evaluation.ladder_tables import as_markdown
    from glic_pyg.evaluation.measured_curves import curves_of
    from glic_pyg.evaluation.summary import as_csv, as_json, means

    points = [(mean.codec, mean.bpp, mean.psnr, mean.ms_ssim) for mean in means(comparisons)]
    curves, title = curves_of(points, how.command), f"Mean of {len(comparisons)} images"
    right = max(rate for curve in curves for rate in curve.bpp)
    made: dict[str, str | bytes] = {
        "results.json": as_json(comparisons, how),
        "results.csv": as_csv(comparisons),
        "tables.md": as_markdown(comparisons, how),
        "curves.html": curves_page(curves, title),
        "crops.png": _crop_sheet(*sheet),
    }
    for metric in (metric for metric in METRICS if with_metric(curves, metric)):
        for kind in ("png", "svg"):
            figure = curves_figure(curves, metric, title, right=right, kind=kind)
            made[f"curves-{metric}.{kind}"] = figure
    for name, data in made.items():
        write_file(folder / name, data)
        print(f"  {folder / name}")


def _crop_sheet(original: Pixels, codec: TitledCodec, rivals: Sequence[ClassicalCodec]) -> bytes:
    """A detail of one picture: original, ours, and every other codec at the bytes nearest to ours."""
    from glic_pyg.evaluation.classical.same_bytes import nearest
    from glic_pyg.evaluation.quality import quality_of
    from glic_pyg.inspection.figures import crop_figure, detailed_corner

    ours = codec.encode(original).data
    files = {codec.name: (ours, codec.decode(ours).array)}
    for rival in rivals:
        data = nearest(rival, original, len(ours)).data
        files[rival.title] = (data, rival.decode(data, original.shape))
    panels = {"Original": (original, f"{original.nbytes:,} bytes")}
    for title, (data, decoded) in files.items():
        panels[title] = (decoded, f"{len(data):,} bytes · {quality_of(decoded, original).psnr:.2f} dB")
    return crop_figure(panels, detailed_corner(original, _CROP), _CROP)
