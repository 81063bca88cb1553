"""``glic test`` on two small pictures with a tiny model."""

import csv
import json
import os
from pathlib import Path

import pytest

from glic_pyg.cli.main import main
from glic_pyg.cli.test_output import OUTPUTS
from glic_pyg.evaluation.classical.pillow import JPEG, JPEG_XL
from glic_pyg.evaluation.curve import CurveError
from glic_pyg.evaluation.measured_curves import read_curves

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")


def test_everything_is_measured_and_written(capsys: Capture) -> None:
    assert main(["test", ".", "--codecs", "jpeg", "-o", "out"]) == 0
    said = capsys.readouterr().out
    assert "Mean of 2 images" in said and "weights: tiny " in said
    assert sorted(os.listdir("out")) == sorted(OUTPUTS)
    document = json.loads(Path("out/results.json").read_text())
    assert [image["image"] for image in document["images"]] == ["a", "b"]
    assert document["command"] == "glic test . --codecs jpeg -o out"
    assert len(document["weights"]["tiny"]) == 64 and "pillow" in document["versions"]
    means = document["mean"]
    assert [(mean["codec"], mean["setting"]) for mean in means] == [
        ("glic", "tiny"), *(("jpeg", f"quality {quality}") for quality in JPEG.ladder),
    ]  # fmt: skip
    assert all(mean["encode_seconds"] > 0 and mean["ms_ssim"] is None for mean in means)
    with open("out/results.csv") as file:
        assert len(list(csv.DictReader(file))) == 2 * len(means)
    assert "## b, 56×40" in Path("out/tables.md").read_text()
    curve = read_curves(Path("out/results.json"))[1]
    assert curve.name == "JPEG (measured)" and len(curve.bpp) == len(JPEG.ladder)
    assert sum(curve.psnr) == pytest.approx(sum(mean["psnr"] for mean in means[1:]))


def test_curves_of_a_run_among_published_ones(capsys: Capture) -> None:
    main(["test", "a.png", "--codecs", "jpeg,webp", "-o", "out"])
    capsys.readouterr()
    arguments = ["rd", "--results", "out/results.json", "--anchor", "JPEG (measured)", "-o", "figures"]
    assert main(arguments) == 0
    assert "WebP (measured)" in capsys.readouterr().out
    assert sorted(os.listdir("figures")) == ["rd-psnr.html", "rd-psnr.png", "rd-psnr.svg"]
    assert main(arguments) == 1
    assert "exists; overwrite it with --force" in capsys.readouterr().err
    assert main(["rd", "clic2020-mobile", "--results", "out/results.json"]) == 0
    assert "cheng2020-attn" in capsys.readouterr().out
    assert main(["rd", "kodak", "--results", "out/results.json"]) == 1
    assert "out/results.json holds 1 images and kodak has 24: their means" in capsys.readouterr().err


def test_a_missing_codec_is_named_and_left_out(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(JPEG_XL), "missing", lambda self: "a tool" if self is JPEG_XL else None)
    assert main(["test", "a.png", "--codecs", "jpegxl,webp"]) == 0
    said = capsys.readouterr()
    assert "glic test: JPEG XL is left out; it needs a tool" in said.err
    assert "\nwebp " in said.out and "\njpegxl " not in said.out


def test_wrong_names_are_one_sentence(capsys: Capture) -> None:
    assert main(["test", "a.png", "--codecs", "jpg"]) == 1
    assert capsys.readouterr().err.startswith("glic test: There is no codec jpg; there are jpeg, ")
    assert main(["test", "kodak"]) == 1
    assert "fetch it: glic data get kodak -o data/kodak" in capsys.readouterr().err


def test_data_by_name(capsys: Capture) -> None:
    Path("data/kodak").mkdir(parents=True)
    os.link("a.png", "data/kodak/kodim01.png")
    assert main(["test", "kodak", "--codecs", "none"]) == 0
    assert "Mean of 1 images" in capsys.readouterr().out


def test_nothing_is_overwritten_unasked(capsys: Capture) -> None:
    Path("test").mkdir()
    Path("test/tables.md").write_text("precious")
    assert main(["test", "a.png"]) == 1
    assert "tables.md exists; overwrite it with --force" in capsys.readouterr().err


def test_what_is_no_results_file(tmp_path: Path) -> None:
    for text in ("no JSON", "[]", "{}"):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(CurveError, match=r"x.json is no results file"):
            read_curves(tmp_path / "x.json")
