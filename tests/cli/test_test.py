"""``glic test`` on two small images with a tiny model."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.cli.main import main
from glic_pyg.cli.run_folder import find_weights, title_of
from glic_pyg.cli.test import OUTPUTS
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines.pillow import JPEG, JPEG_XL, WEBP
from glic_pyg.evaluation.curves import CurveError, read_curves
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.models.weights import save_weights
from tests.cli.tiny_run import GLIC, run_command
from tests.codec.test_image import png_with_16_bit_rgb

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")


def test_everything_is_measured_and_written(capsys: Capture) -> None:
    assert main(["test", "images=.", "codecs=jpeg", "name=out"]) == 0
    said = capsys.readouterr().out
    assert "Mean of 2 images" in said and "weights: tiny " in said
    small = {name for name in OUTPUTS if "ms-ssim" not in name}  # the images are too small for its scales
    assert {*small, "metrics.json", "test.log", ".hydra"} == set(os.listdir("runs/out"))
    document = json.loads(Path("runs/out/results.json").read_text())
    assert [image["image"] for image in document["images"]] == ["a", "b"]
    assert document["command"] == "glic test images=. codecs=jpeg name=out"
    assert len(document["weights"]["tiny"]) == 64 and "pillow" in document["versions"]
    means = document["mean"]
    assert [(mean["codec"], mean["setting"]) for mean in means] == [
        ("tiny", "its one rate"), *(("jpeg", f"quality {quality}") for quality in JPEG.sweep),
    ]  # fmt: skip
    assert all(mean["encode_seconds"] > 0 and mean["ms_ssim"] is None for mean in means)
    with open("runs/out/results.csv") as file:
        assert len(list(csv.DictReader(file))) == 2 * len(means)
    tables = Path("runs/out/tables.md").read_text()
    assert "## b, 56×40" in tables
    assert "## tiny against the others\n\n| against |" in tables
    curve = read_curves(Path("runs/out/results.json"))[1]
    assert curve.name == "JPEG (measured)" and len(curve.bpp) == len(JPEG.sweep)
    assert sum(curve.psnr) == pytest.approx(sum(mean["psnr"] for mean in means[1:]))


def test_curves_by_both_metrics() -> None:
    with Image.open("a.png") as image:
        image.resize((170, 165)).save("large.png")
    assert main(["test", "images=large.png", "codecs=[jpeg]", "name=out"]) == 0
    assert set(OUTPUTS) <= set(os.listdir("runs/out"))
    assert Path("runs/out/curves-psnr.svg").read_bytes() != Path("runs/out/curves-ms-ssim.svg").read_bytes()


def test_curves_of_a_run_among_published_ones(capsys: Capture) -> None:
    main(["test", "images=a.png", "codecs=[jpeg,webp]", "name=out"])
    capsys.readouterr()
    arguments = ["rd", "--results", "runs/out/results.json", "--anchor", "JPEG (measured)", "-o", "figures"]
    assert main(arguments) == 0
    assert "WebP (measured)" in capsys.readouterr().out
    assert sorted(os.listdir("figures")) == ["rd-psnr.html", "rd-psnr.png", "rd-psnr.svg"]
    assert main(arguments) == 1
    assert "exists; overwrite it with --force" in capsys.readouterr().err
    assert main(["rd", "clic2020-mobile", "--results", "runs/out/results.json"]) == 0
    assert "cheng2020-attn" in capsys.readouterr().out
    assert main(["rd", "kodak", "--results", "runs/out/results.json"]) == 1
    assert "runs/out/results.json holds 1 images and kodak has 24: their means" in capsys.readouterr().err


def test_a_missing_codec_is_named_and_left_out(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(JPEG_XL), "missing", lambda self: "a tool" if self is JPEG_XL else None)
    assert main(["test", "images=a.png", "codecs=[jpegxl,webp]"]) == 0
    said = capsys.readouterr()
    assert "glic test: JPEG XL is left out; it needs a tool" in said.err
    assert "\nwebp " in said.out and "\njpegxl " not in said.out


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            ["images=a.png", "codecs=jpg"],
            "glic test: There is no codec jpg; there are none, quick, all, jpeg, ",
        ),
        (["codecs=none"], "fetch it: glic data get kodak -o data/kodak"),
        (["images=a.png", "codecs=none", "weights=runs"], "There are no weights in runs: no run has"),
        (["wieghts=x"], "glic test: Could not override 'wieghts'. glic test --cfg job shows what there is."),
        (["a.png"], "glic test: a.png is no setting; one is written key=value."),
    ],
)
def test_what_is_wrong_is_one_sentence(settings: list[str], sentence: str) -> None:
    Path("runs").mkdir()
    with pytest.raises(SystemExit) as end:
        main(["test", *settings])
    assert sentence in str(end.value.code) and "\n" not in str(end.value.code)


def test_data_by_name(capsys: Capture) -> None:
    Path("data/kodak").mkdir(parents=True)
    os.link("a.png", "data/kodak/kodim01.png")
    assert main(["test", "codecs=none", "name=all"]) == 0
    assert "Mean of 1 images" in capsys.readouterr().out
    figures = json.loads(Path("runs/all/metrics.json").read_text())
    assert figures["test/bpp"] > 0 and figures["test/psnr"] > 0


def test_an_image_that_fails_is_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: ImageCodec, source: NDArray[np.uint8], **how: Any) -> None:
        if source.mean() > 128:
            raise GlicError("too bright")
        return encode(self, source, **how)

    encode = ImageCodec.encode
    monkeypatch.setattr(ImageCodec, "encode", fails)
    with pytest.raises(SystemExit, match="1 of 2 images failed"):
        main(["test", "images=.", "codecs=none", "name=out"])
    assert "glic test: b: too bright" in capsys.readouterr().err
    assert len(json.loads(Path("runs/out/results.json").read_text())["images"]) == 1


def test_a_flat_image_in_the_set(capsys: Capture) -> None:
    """JPEG keeps it without error: its means are of the other images, and say so."""
    Image.new("RGB", (200, 200), (128, 128, 128)).save("flat.png")
    assert main(["test", "images=.", "codecs=[jpeg,webp]", "name=out"]) == 0
    said = capsys.readouterr().out
    assert set(OUTPUTS) - {"curves-ms-ssim.png", "curves-ms-ssim.svg"} <= set(os.listdir("runs/out"))
    document = json.loads(Path("runs/out/results.json").read_text(), parse_constant=pytest.fail)
    flat = next(image for image in document["images"] if image["image"] == "flat")
    files = {row["codec"]: row for row in flat["codecs"]}
    assert files["jpeg"]["psnr"] is None and files["jpeg"]["ms_ssim"] == 1
    mean = next(mean for mean in document["mean"] if mean["codec"] == "jpeg")
    others = [image["codecs"][1] for image in document["images"] if image is not flat]
    assert (mean["images"], mean["psnr_images"], mean["ms_ssim_images"]) == (3, 2, 1)
    assert mean["psnr"] == pytest.approx(sum(row["psnr"] for row in others) / 2)
    assert f"{mean['psnr']:.3f} (of 2)" in said and "1.00000 (of 1)" in said
    row = next(row for row in document["curves"] if row["codec"] == "jpeg")
    assert row["images"] == 2 and row["bpp"] == pytest.approx(sum(row["bpp"] for row in others) / 2)
    curves = read_curves(Path("runs/out/results.json"))
    assert [len(curve.bpp) for curve in curves] == [1, len(JPEG.sweep), len(WEBP.sweep)]
    assert curves[1].bpp[0] == row["bpp"] and "2 of 3 images" in curves[1].source
    assert main(["rd", "--results", "runs/out/results.json", "--anchor", "WebP (measured)", "-o", "rd"]) == 0
    assert "JPEG (measured)" in capsys.readouterr().out


def test_nothing_but_flat_images(capsys: Capture) -> None:
    Image.new("RGB", (40, 40), (128, 128, 128)).save("flat.png")
    assert main(["test", "images=flat.png", "codecs=[jpeg,webp]", "name=out"]) == 0
    means = json.loads(Path("runs/out/results.json").read_text())["mean"]
    assert [mean["psnr"] for mean in means if mean["codec"] == "jpeg"] == [None] * len(JPEG.sweep)
    assert "∞" in Path("runs/out/tables.md").read_text()
    capsys.readouterr()
    assert main(["rd", "--results", "runs/out/results.json", "--anchor", "WebP (measured)", "-o", "rd"]) < 2
    assert capsys.readouterr().err.count("\n") <= 1


@pytest.mark.parametrize("broken", ["curve_plots.curves_figure", "tables.sweep_page"])
def test_results_are_there_before_a_figure_can_fail(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        assert Path("runs/out/results.json").exists() and Path("runs/out/metrics.json").exists()
        raise IndexError("list index out of range")

    monkeypatch.setattr(f"glic_pyg.evaluation.{broken}", fails)
    with pytest.raises(
        SystemExit, match=r"[12] of [45] tables and figures failed; all numbers are in .*runs/out"
    ):
        main(["test", "images=a.png", "codecs=[jpeg]", "name=out"])
    assert "list index out of range" in capsys.readouterr().err
    assert {"results.json", "results.csv", "metrics.json", "crops.png"} <= set(os.listdir("runs/out"))


def test_images_are_seen_as_encode_and_compare_see_them(capsys: Capture) -> None:
    """Upright, grey as grey; what cannot be kept is named, and the first image may be one of these."""
    with Image.open("a.png") as image:
        exif = image.getexif()
        exif[274] = 6
        image.save("turned.jpg", exif=exif, quality=95)
        image.convert("L").save("grey.png")
        image.convert("CMYK").save("inks.tif")
    Path("0.png").write_bytes(png_with_16_bit_rgb())
    assert main(["test", "images=.", "codecs=[jpeg]", "name=out"]) == 0
    said = capsys.readouterr().err
    assert "0.png: The image has more than 8 bits a sample" in said
    assert "glic test: inks: The colours were converted from CMYK to RGB." in said
    document = json.loads(Path("runs/out/results.json").read_text())
    of = {image["image"]: image for image in document["images"]}
    assert (of["turned"]["width"], of["turned"]["height"]) == (40, 56)
    for name in ("turned.jpg", "grey.png"):
        main(["compare", name, "--json", "compared.json", "--force", "--device", "cpu"])
        compared = json.loads(Path("compared.json").read_text())["images"][0]
        ours, theirs = (image["codecs"][0] for image in (of[Path(name).stem], compared))
        assert (ours["size"], ours["psnr"]) == (theirs["size"], theirs["psnr"])


def test_an_image_that_fails_may_be_the_first(capsys: Capture) -> None:
    Path("0.png").write_bytes(Path("a.png").read_bytes()[:-60])
    with pytest.raises(SystemExit, match="1 of 3 images failed"):
        main(["test", "images=.", "codecs=[jpeg]", "name=out"])
    assert "glic test: 0: 0.png: The image cannot be read" in capsys.readouterr().err
    assert {"results.json", "tables.md", "crops.png"} <= set(os.listdir("runs/out"))


def test_images_of_one_name_are_told_apart() -> None:
    for name in ("x/a.png", "x/a.bmp", "y/a.png"):
        Path(name).parent.mkdir(exist_ok=True)
        with Image.open("a.png") as image:
            image.save(name)
    Path("a.png").unlink()
    assert main(["test", "images=.", "codecs=[jpeg]", "name=out"]) == 0
    names = [image["image"] for image in json.loads(Path("runs/out/results.json").read_text())["images"]]
    assert names == ["b", "a.bmp", "x/a.png", "y/a.png"]
    assert [f"## {name}, 56×40" in Path("runs/out/tables.md").read_text() for name in names] == [True] * 4


def test_an_image_of_too_many_pixels_is_named(capsys: Capture) -> None:
    Image.new("RGB", (300, 300)).save("large.png")
    with pytest.raises(SystemExit, match="1 of 3 images failed"):
        main(["test", "images=.", "codecs=none", "name=out", "max_pixels=16384"])
    assert "large: large.png: The image has 300x300 = 90000 pixels" in capsys.readouterr().err


def test_nothing_is_overwritten_unasked() -> None:
    Path("runs/x").mkdir(parents=True)
    Path("runs/x/tables.md").write_text("precious")
    with pytest.raises(SystemExit, match=r"runs/x/tables.md exists already; choose another name="):
        main(["test", "images=a.png", "name=x"])
    assert Path("runs/x/tables.md").read_text() == "precious"


@pytest.fixture
def sweep(folder: Path) -> Path:
    """The folder of a sweep over two λ, as its runs leave it."""
    for lmbda in ("0.01", "0.02"):
        run = folder / f"runs/rates/loss.lmbda={lmbda}"
        (run / ".hydra").mkdir(parents=True)
        torch.manual_seed(int(lmbda[-1]))
        save_weights(run / "tiny.safetensors", Hyperprior(4, 4), {})
    return folder / "runs/rates"


def test_weights_of_a_sweep_are_one_curve(sweep: Path) -> None:
    assert main(["test", "images=a.png", f"weights={sweep}", "codecs=none", "name=out"]) == 0
    document = json.loads(Path("runs/out/results.json").read_text())
    assert [(mean["codec"], mean["setting"]) for mean in document["mean"]] == [
        ("tiny-λ", "λ 0.01"), ("tiny-λ", "λ 0.02"),
    ]  # fmt: skip
    assert len(set(document["weights"].values())) == 2
    assert "test/tiny-λ/λ 0.02/psnr" in json.loads(Path("runs/out/metrics.json").read_text())


def test_weights_are_called_after_their_run(tmp_path: Path) -> None:
    titles = {
        "glic_xs.safetensors": "glic_xs",
        "runs/first/glic_xs.safetensors": "first",
        "runs/s/loss.lmbda=0.0035/glic_xs.safetensors": "glic_xs-0.0035",
        "runs/s/loss.lmbda=1e-3,seed=1/glic_xs.safetensors": "glic_xs,seed=1-1e-3",
        "runs/s/seed=1/glic_xs.safetensors": "glic_xs,seed=1",
    }
    for name in titles:
        path = tmp_path / name
        if "runs" in name:
            (path.parent / ".hydra").mkdir(parents=True)
        path.touch()
    assert {name: title_of(tmp_path / name) for name in titles} == titles
    found = find_weights([str(tmp_path / "glic_xs.safetensors"), str(tmp_path / "runs/s")])
    assert [title_of(path) for path in found] == [
        "glic_xs", "glic_xs-0.0035", "glic_xs,seed=1-1e-3", "glic_xs,seed=1",
    ]  # fmt: skip


def test_a_path_needs_no_quotes(sweep: Path) -> None:
    weights = "weights=runs/rates/loss.lmbda=0.01/tiny.safetensors"
    assert main(["test", "images=a.png", weights, "codecs=none", "name=out"]) == 0
    assert list(json.loads(Path("runs/out/results.json").read_text())["weights"]) == ["tiny-0.01"]


@pytest.mark.slow
def test_a_sweep_of_measurements(sweep: Path) -> None:
    one = sweep / "loss.lmbda=0.01/tiny.safetensors"
    settings = ["-m", "name=s", "images=a.png", "codecs=none", f"weights='{one}',none.safetensors"]
    done = run_command(*GLIC, "test", *settings)
    assert done.returncode == 1, done.stderr
    table = Path("runs/s/table.md").read_text()
    assert table.count("| finished |") == 1 and "no weights at" in table
    assert "| test/bpp |" in table


def test_what_is_no_results_file(tmp_path: Path) -> None:
    for text in ("no JSON", "[]", "{}"):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(CurveError, match=r"x.json is no results file"):
            read_curves(tmp_path / "x.json")


def test_paths_of_any_name_need_no_quotes() -> None:
    place = Path("é 写 (1) #&[x]=,'")
    place.mkdir()
    Path("a.png").rename(place / "a.png")
    save_weights(place / "w.safetensors", Hyperprior(8, 8), {})
    arguments = [f"images={place}", f"weights=[{place}/w.safetensors]", "codecs=none", "name=out"]
    assert main(["test", *arguments]) == 0
    document = json.loads(Path("runs/out/results.json").read_text())
    assert [image["image"] for image in document["images"]] == ["a"]
