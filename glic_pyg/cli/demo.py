"""``glic demo``: a photograph to a file and back, beside JPEG and WebP, and a figure of its graph."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import glic_pyg
from glic_pyg.cli.compare import print_comparisons
from glic_pyg.cli.console import naming, say, shown
from glic_pyg.cli.options import add_coding_options, choose_device, set_threads
from glic_pyg.cli.paths import check_output
from glic_pyg.errors import GlicError
from glic_pyg.files import publish, staging_folder

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from glic_pyg.codec.image import ImageData
    from glic_pyg.codec.image_codec import ImageCodec
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.provenance import Provenance
    from glic_pyg.inspection.attention import BlockGraphs

__all__ = ["OUTPUTS", "main", "make_parser"]

OUTPUTS = {
    "{}.png": "the original",
    "{}.glic": "our file",
    "{}.glic.png": "our file, decoded",
    "{}.jpg": "JPEG of as many bytes",
    "{}.webp": "WebP of as many bytes",
    "{}.graph.png": "the graphs of the last GFA block of g_a",
    "{}.graph.html": "all graphs, to explore in a browser",
    "{}.crops.png": "a detail, side by side",
    "{}.json": "all numbers",
}
"""What is written, by pattern of the name."""

_CROP = 160


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="glic demo",
        description="Encode a photograph, decode it, set it beside JPEG and WebP of the same bytes, "
        "and draw the graphs that the model built for it.",
    )
    parser.add_argument("image", nargs="?", metavar="IMAGE", help="default: data/samples/dog.png")
    parser.add_argument("-o", "--output-dir", default="demo", metavar="DIR", help="default: demo")
    parser.add_argument("--model", metavar="NAME", help="name of shipped weights (glic doctor lists them)")
    add_coding_options(parser)
    parser.add_argument("-f", "--force", action="store_true", help="overwrite files that exist")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; see ``cli.main`` for the exit codes."""
    args, start = make_parser().parse_args(argv), time.perf_counter()
    image, folder = _image(args.image), Path(args.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    names = [pattern.format(image.stem) for pattern in OUTPUTS]
    for name in names:
        check_output(folder / name, force=args.force, sources=[image])

    from glic_pyg.codec.api import codec_for_encoding
    from glic_pyg.codec.image_file import read_image
    from glic_pyg.evaluation.provenance import provenance

    say(f"demo: loading the weights and {shown(image)} ...")
    set_threads(args.threads)
    device = choose_device(args.device)
    codec = codec_for_encoding(
        args.model, args.weights, device=device, precision=args.precision, max_pixels=args.max_pixels
    )
    with naming(image):
        image_data = read_image(image, max_pixels=args.max_pixels)
    how = provenance(["glic", "demo", *argv], device)
    with staging_folder(folder) as staging:
        comparison = _code(codec, image_data, image.stem, staging, how)
        _draw(codec, image_data, comparison, staging)
        print_comparisons([comparison], how)
        for name, meaning in zip(names, OUTPUTS.values(), strict=True):
            if (staging / name).exists():
                publish(staging / name, folder / name, overwrite=args.force)
                print(f"  {shown(folder / name):<28} {meaning}")
    say(f"demo: done in {time.perf_counter() - start:.0f} s")
    return 0


def _image(given: str | None) -> Path:
    """The image to use.

    Raises:
        GlicError: it, or the sample photograph of a checkout, does not exist.
    """
    if given is not None:
        if not Path(given).is_file():
            raise GlicError(f"There is no image {shown(given)}.")
        return Path(given)
    sample = Path(glic_pyg.__file__).parent.parent / "data" / "samples" / "dog.png"
    if not sample.is_file():
        raise GlicError("The sample photograph is not installed; give an image: glic demo IMAGE.")
    return sample


def _code(codec: ImageCodec, image_data: ImageData, name: str, folder: Path, how: Provenance) -> Comparison:
    """Write all coded files, the decoded image and the numbers."""
    from PIL import Image

    from glic_pyg.evaluation.comparison import compare_image
    from glic_pyg.evaluation.summary import as_json

    say("demo: encoding, decoding; JPEG and WebP at the same bytes ...")
    comparison = compare_image(codec, name, image_data.colour, folder)
    decoded = codec.decode((folder / f"{name}.glic").read_bytes()).array
    Image.fromarray(image_data.colour).save(folder / f"{name}.png")
    Image.fromarray(decoded).save(folder / f"{name}.glic.png")
    (folder / f"{name}.json").write_text(as_json([comparison], how), encoding="utf-8")
    return comparison


def _draw(codec: ImageCodec, image_data: ImageData, comparison: Comparison, folder: Path) -> None:
    """Write the figures; what shows graphs only if the model has GFA blocks in its g_a."""
    from glic_pyg.cli.inspect import FIELD_COUNT, Subject, grid_of_fields
    from glic_pyg.inspection.figures import crop_figure, detailed_corner
    from glic_pyg.inspection.inspect import inspect_image
    from glic_pyg.inspection.page import write_page

    say("demo: drawing ...")
    crops = crop_figure(
        _captioned(comparison, folder, image_data), detailed_corner(image_data.colour, _CROP), _CROP
    )
    (folder / f"{comparison.image}.crops.png").write_bytes(crops)
    seen = inspect_image(codec.model, image_data.colour, name=comparison.image, weights=codec.name)
    of_g_a = [block for block in seen.blocks if block.transform == "g_a"]
    if of_g_a:
        figure = _graph_figure(image_data.colour, of_g_a[-1], comparison)
        (folder / f"{comparison.image}.graph.png").write_bytes(figure)
        fields = grid_of_fields(Subject(codec.model, seen), FIELD_COUNT)
        write_page(seen, folder / f"{comparison.image}.graph.html", fields=fields)


def _captioned(
    comparison: Comparison, folder: Path, image_data: ImageData
) -> dict[str, tuple[NDArray[np.uint8], str]]:
    """Crops to compare, read back from the files, and what to write below them."""
    from glic_pyg.codec.image_file import read_image

    found = {"Original": (image_data.colour, f"{image_data.colour.nbytes:,} bytes")}
    suffixes = {"glic": "glic.png", "jpeg": "jpg", "webp": "webp"}
    for measured, title in zip(comparison.codecs, ("GLIC", "JPEG", "WebP"), strict=True):
        data = (folder / f"{comparison.image}.{suffixes[measured.codec]}").read_bytes()
        caption = f"{measured.size:,} bytes · {measured.bpp:.3f} bpp · {measured.quality.psnr:.2f} dB"
        found[title] = (read_image(data).colour, caption)
    return found


def _graph_figure(image: NDArray[np.uint8], graphs: BlockGraphs, comparison: Comparison) -> bytes:
    from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP
    from glic_pyg.evaluation.curve_plots import baseline_curve, draw_rate_point
    from glic_pyg.inspection.figures import overview_figure

    curves = [baseline_curve([image], codec) for codec in (JPEG, WEBP)]
    ours = comparison.ours

    def draw_rate(axes: Axes) -> None:
        axes.set_title("Rate and distortion of this photograph")
        draw_rate_point(axes, curves, ours.bpp, ours.quality.psnr)

    return overview_figure(image, graphs, draw_more=draw_rate)
