"""``glic test``: our files and those of classical codecs on a data set, each at several qualities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from glic_pyg.cli.config_values import check_arguments, check_value
from glic_pyg.cli.console import FileBatch, say
from glic_pyg.cli.hydra import run_hydra_app
from glic_pyg.cli.options import choose_device, set_threads
from glic_pyg.cli.paths import titles
from glic_pyg.cli.run_folder import end_with_parent, find_weights, keep_settings, removed_if_refused, title_of
from glic_pyg.cli.sweep import in_sweep, run_sweep_job
from glic_pyg.cli.sweep_table import write_metrics
from glic_pyg.codec.header import HIGHEST_QUALITY
from glic_pyg.errors import GlicError
from glic_pyg.files import write_file

if TYPE_CHECKING:
    from torch import nn

    from glic_pyg.codec.image import ImageData
    from glic_pyg.codec.image_codec import Decoded, Encoded, ImageCodec, Precision
    from glic_pyg.codec.rate_control import RateTarget
    from glic_pyg.data.image_file import ImageFile
    from glic_pyg.evaluation.baselines.base import Baseline
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.measure import OperatingPoint
    from glic_pyg.evaluation.provenance import Provenance
    from glic_pyg.types import Pixels

__all__ = ["OUTPUTS", "main", "measure"]

_QUICK = ("jpeg", "jpeg2000", "webp", "avif", "jpegxl")
_FETCHED = ("kodak", "clic", "clic-test2021", "tecnick")
OUTPUTS = (
    "results.json", "results.csv", "tables.md", "curves.html", "crops.png",
    "curves-psnr.png", "curves-psnr.svg", "curves-ms-ssim.png", "curves-ms-ssim.svg",
)  # fmt: skip
_METRICS = ("bpp", "psnr", "ms_ssim_db", "encode_seconds", "decode_seconds")
_CROP = 160


def main(argv: Sequence[str]) -> int:
    """Measure as ``conf/test.yaml`` and the arguments say; every failure ends in SystemExit.

    Args:
        argv: overrides and Hydra's own options (``-m``, ``--cfg job``, ...).

    Returns:
        0.
    """
    return run_hydra_app("test", _job, argv)


def _job(cfg: DictConfig) -> dict[str, float]:
    """One measurement, in a process of its own if it belongs to a sweep."""
    if in_sweep():
        return run_sweep_job("test")
    end_with_parent()
    from glic_pyg.codec.image_codec import Precision

    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    paths, _ = settings.pop("paths"), settings.pop("name")
    output = Path(paths["output"])
    with removed_if_refused(output, Path(str(paths["runs"]))) as begun:

        def begin() -> None:
            begun()
            keep_settings(cfg, output)

        for place in ("data", "runs"):
            check_value(f"paths.{place}", paths[place], str)
        check_arguments(settings, measure, Precision=Precision)
        _check_lists(settings)
        command = ["glic", "test", *HydraConfig.get().overrides.task]
        return measure(**settings, data=Path(paths["data"]), output=output, command=command, begin=begin)


def _check_lists(settings: Mapping[str, Any]) -> None:
    """Refuse empty lists, and qualities that there are not."""
    if empty := [key for key in ("images", "weights", "qualities") if settings[key] in ("", [])]:
        raise GlicError(f"{empty[0]} must name at least one; leave it out for the default.")
    if outside := [quality for quality in settings["qualities"] if not 0 <= quality <= HIGHEST_QUALITY]:
        raise GlicError(f"qualities must be numbers from 0 to {HIGHEST_QUALITY:g}, not {outside[0]:g}.")


def measure(
    images: str,
    weights: str | Sequence[str] | None,
    qualities: Sequence[float],
    codecs: str | Sequence[str],
    device: str,
    precision: Precision,
    max_pixels: int,
    threads: int | None,
    data: Path,
    output: Path,
    command: Sequence[str],
    begin: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Encode every image with every codec, decode it, write and print what came out, then draw it.

    Args:
        images: a folder, a list of files, a tar shard, or the name of a data set below ``data``.
        weights: see :func:`~glic_pyg.cli.run_folder.find_weights`; None: the shipped ones.
        qualities: of weights of variable rate, 0 to 100.
        codecs: names of classical codecs, or of a group of them.
        device, precision, max_pixels, threads: as for ``glic encode``.
        data: folder of the data sets.
        output: folder that gets everything.
        command: for the record.
        begin: is called when everything that is asked for has been found.

    Returns:
        Our own means by name.

    Raises:
        GlicError: something is not there, or an image or a figure failed; the others are made all the same.
    """
    from glic_pyg.evaluation.comparison import learned_sweeps
    from glic_pyg.evaluation.measure import baseline_point
    from glic_pyg.evaluation.provenance import provenance

    check_output_folder(output)
    set_threads(threads)
    device = choose_device(device)
    baselines = classical_codecs(codecs)
    files = find_images(images, data)
    ours = learned_codecs(weights, device=device, precision=precision, max_pixels=max_pixels)
    steps = learned_sweeps(ours, qualities)
    others = [baseline_point(codec, setting) for codec in baselines for setting in codec.sweep]
    begin()
    measured = _measure_all([*steps, *others], files, max_pixels)
    if not measured:
        raise GlicError(f"{len(files)} of {len(files)} images failed.")
    comparisons = [comparison for _, comparison in measured]
    metrics = mean_metrics(comparisons, len(steps))
    how = provenance(command, device, {codec.name: codec.weights_hash for codec in ours})
    write_results(output, comparisons, how)
    failed = len(files) - len(measured)
    if not failed:
        write_metrics(output, metrics)
    print_means(comparisons, how)
    sheet = (partial(measured[0][0].read, max_pixels=max_pixels), ours[len(ours) // 2], baselines)
    unmade, of = write_tables_and_figures(output, comparisons, how, sheet)
    if failed:
        raise GlicError(f"{failed} of {len(files)} images failed.")
    if unmade:
        raise GlicError(f"{unmade} of {of} tables and figures failed; all numbers are in {output}.")
    return metrics


def _measure_all(
    points: Sequence[OperatingPoint], images: Sequence[ImageFile], max_pixels: int
) -> list[tuple[ImageFile, Comparison]]:
    """Measure one image after the other; one that fails is named and the others go on."""
    from glic_pyg.evaluation.comparison import measure_sweep

    found = []
    names = titles([Path(image.member or image.path) for image in images])
    with TemporaryDirectory() as folder, FileBatch("test", len(images), summary=False) as batch:
        for image, name in zip(images, names, strict=True):
            with batch.file(name):
                image_data = image.read(max_pixels=max_pixels)
                for note in image_data.pixel_notes:
                    batch.say(f"glic test: {name}: {note}")
                found.append((image, measure_sweep(points, name, image_data.colour, Path(folder))))
    return found


def find_images(images: str, data: Path) -> list[ImageFile]:
    """The images of a data set, in the order of their names; unreadable ones are named.

    Args:
        images: a folder, a list of files, a tar shard; or the name of a folder in ``data``.
        data: folder of the data sets.

    Raises:
        GlicError: there is none of that name, or not one image in it.
    """
    from glic_pyg.data.index import build_catalogue

    fetched = data / images
    if images in _FETCHED and not Path(images).exists() and not fetched.exists():
        raise GlicError(f"The data set {images} is not here; fetch it: glic data get {images} -o {fetched}")
    catalogue = build_catalogue(images if Path(images).exists() or not fetched.exists() else fetched)
    for line in catalogue.unreadable:
        say(f"glic test: {line}")
    if catalogue.left_out:
        say(f"glic test: {catalogue.left_out}")
    return list(catalogue.files)


@dataclass
class TitledCodec:
    """A codec under a title for tables: its own name is written into every file and should stay short."""

    name: str
    codec: ImageCodec

    @property
    def variable_rate(self) -> bool:
        """Whether a quality can be asked for."""
        return self.codec.variable_rate

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the weights, hex."""
        from glic_pyg.models.weights import weights_hash

        return weights_hash(cast("nn.Module", self.codec.model))

    def encode(self, source: Pixels, *, target: RateTarget | None = None, estimate: bool = False) -> Encoded:
        """As the codec does."""
        return self.codec.encode(source, target=target, estimate=estimate)

    def decode(self, data: bytes) -> Decoded:
        """As the codec does."""
        return self.codec.decode(data)


def learned_codecs(
    weights: str | Sequence[str] | None, *, device: str, precision: Precision, max_pixels: int
) -> list[TitledCodec]:
    """A codec for each of the weights that are meant; for None, of the shipped ones."""
    from glic_pyg.codec.api import codec_for_encoding

    files = [None] if weights is None else find_weights(weights)
    found = []
    for path in files:
        codec = codec_for_encoding(None, path, device=device, precision=precision, max_pixels=max_pixels)
        found.append(TitledCodec(codec.name if path is None else title_of(path), codec))
    return found


def classical_codecs(wanted: str | Sequence[str]) -> list[Baseline]:
    """The codecs to compare with; those that are not installed are named and left out.

    Args:
        wanted: ``quick``, ``all``, ``none``, or names.

    Raises:
        GlicError: there is no codec of a name.
    """
    from glic_pyg.evaluation.baselines import BASELINES

    groups = {"none": (), "quick": _QUICK, "all": tuple(BASELINES)}
    names = groups.get(wanted, (wanted,)) if isinstance(wanted, str) else wanted
    if unknown := [name for name in names if name not in BASELINES]:
        known = ", ".join((*groups, *BASELINES))
        raise GlicError(f"There is no codec {unknown[0]}; there are {known}.")
    found = []
    for codec in (BASELINES[name] for name in names):
        if needed := codec.missing():
            say(f"glic test: {codec.title} is left out; it needs {needed}")
        else:
            found.append(codec)
    return found


def check_output_folder(folder: Path) -> None:
    """Make the folder, and find out before the work whether it holds results already.

    Raises:
        GlicError: it does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if taken := [name for name in OUTPUTS if (folder / name).exists()]:
        raise GlicError(f"{folder / taken[0]} exists already; choose another name=...")


def mean_metrics(comparisons: Sequence[Comparison], ours: int) -> dict[str, float]:
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
    folder: Path,
    comparisons: Sequence[Comparison],
    how: Provenance,
    sheet: tuple[Callable[[], ImageData], TitledCodec, Sequence[Baseline]],
) -> tuple[int, int]:
    """Make tables and draw what can be drawn; what fails is named and the next one is made.

    Figures of MS-SSIM need images that are large enough, and all curves files with an error.

    Args:
        folder, comparisons, how: as for :func:`write_results`, whose files are listed too.
        sheet: for the crops: what reads an image, the codec that says how many bytes are spent, and the
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


def _crop_sheet(read: Callable[[], ImageData], codec: TitledCodec, baselines: Sequence[Baseline]) -> bytes:
    """A detail of one image: original, ours, and every other codec at the bytes nearest to ours."""
    from glic_pyg.evaluation.measure import quality_of
    from glic_pyg.evaluation.rate_matching import nearest
    from glic_pyg.evaluation.tables import number_cell
    from glic_pyg.inspection.figures import crop_figure, detailed_corner

    original = read().colour
    ours = codec.encode(original).data
    files = {codec.name: (ours, codec.decode(ours).array)}
    for baseline in baselines:
        data = nearest(baseline, original, len(ours)).data
        files[baseline.title] = (data, baseline.decode(data, original.shape))
    panels = {"Original": (original, f"{original.nbytes:,} bytes")}
    for title, (data, decoded) in files.items():
        psnr = number_cell(quality_of(decoded, original).psnr, ".2f")
        panels[title] = (decoded, f"{len(data):,} bytes · {psnr} dB")
    return crop_figure(panels, detailed_corner(original, _CROP), _CROP)
