"""``glic test``: our files and those of classical codecs on a data set, each over a ladder of qualities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from glic_pyg.cli.config_values import check_arguments, check_value
from glic_pyg.cli.console import FileBatch
from glic_pyg.cli.hydra_app import run_hydra_app
from glic_pyg.cli.job_record import write_metrics
from glic_pyg.cli.options import choose_device, set_threads
from glic_pyg.cli.paths import titles
from glic_pyg.cli.processes import end_with_parent
from glic_pyg.cli.run_folder import keep_settings, removed_if_refused
from glic_pyg.cli.sweep_job import in_sweep, run_sweep_job
from glic_pyg.cli.test_inputs import classical_codecs, learned_codecs, pictures
from glic_pyg.cli.test_output import (
    check_output_folder,
    metrics_of,
    print_means,
    write_results,
    write_tables_and_figures,
)
from glic_pyg.codec.header import HIGHEST_QUALITY
from glic_pyg.errors import GlicError

if TYPE_CHECKING:
    from glic_pyg.codec.image_codec import Precision
    from glic_pyg.data.image_file import ImageFile
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.measure import OperatingPoint

__all__ = ["main", "measure"]


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
    """Encode every picture with every codec, decode it, write and print what came out, then draw it.

    Args:
        images: a folder, a list of files, a tar shard, or the name of a data set below ``data``.
        weights: see :func:`~glic_pyg.cli.trained_weights.find_weights`; None: the shipped ones.
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
    rivals = classical_codecs(codecs)
    files = pictures(images, data)
    ours = learned_codecs(weights, device=device, precision=precision, max_pixels=max_pixels)
    steps = learned_sweeps(ours, qualities)
    others = [baseline_point(codec, setting) for codec in rivals for setting in codec.sweep]
    begin()
    measured = _measure_all([*steps, *others], files, max_pixels)
    if not measured:
        raise GlicError(f"{len(files)} of {len(files)} images failed.")
    comparisons = [comparison for _, comparison in measured]
    metrics = metrics_of(comparisons, len(steps))
    how = provenance(command, device, {codec.name: codec.weights_hash for codec in ours})
    write_results(output, comparisons, how)
    failed = len(files) - len(measured)
    if not failed:
        write_metrics(output, metrics)
    print_means(comparisons, how)
    sheet = (partial(measured[0][0].read, max_pixels=max_pixels), ours[len(ours) // 2], rivals)
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
                picture = image.read(max_pixels=max_pixels)
                for note in picture.pixel_notes:
                    batch.say(f"glic test: {name}: {note}")
                found.append((image, measure_sweep(points, name, picture.colour, Path(folder))))
    return found
