"""``make results`` with a tiny model on tiny images."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.codec import api
from glic_pyg.codec.weights_store import Weights
from glic_pyg.evaluation.baselines.pillow import JPEG, PillowCodec
from glic_pyg.models.weights import weights_hash
from studies.page import read_data
from studies.results import command
from studies.results.command import main
from studies.results.measuring import code_fingerprint
from tests.evaluation.conftest import soft_image
from tests.tiny_backbone import TinyBackbone

Capture = pytest.CaptureFixture[str]
ARGUMENTS = [
    "--docs",
    "docs",
    "--codecs",
    "jpeg,webp",
    "--qualities",
    "0,50,100",
    "--ood-qualities",
    "0,50,100",
]
PAGE = Path("docs/results.md")


@pytest.fixture
def tiny(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Shipped weights that are quickly run; their name. Of a variable rate, unless the parameter is False."""
    variable = getattr(request, "param", True)
    model = TinyBackbone(levels=(0.001, 0.1) if variable else None)
    name = "tiny" if variable else "tiny-0.01"
    weights = Weights(name, weights_hash(model), model)
    monkeypatch.setattr(api, "load_shipped", lambda name: weights)
    monkeypatch.setattr(api, "default_name", lambda: name)
    api._from_name.cache_clear()
    yield name
    api._from_name.cache_clear()


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time."""
    for draw in ("crop_sheet", "curves_figure", "gain_bars"):
        monkeypatch.setattr(command, draw, lambda *arguments, **options: b"")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with test images where a checkout has them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "SET_SIZES", {"kodak": 2})  # so that published points stand beside them
    large, small = soft_image(170, 180), soft_image(70, 100)
    for name, pixels in {
        "kodak/kodim01": large, "kodak/kodim02": 255 - large,
        "ood/document/page": small, "ood/screen/desk": 255 - small, "ood/screen/flat": small // 8,
    }.items():  # fmt: skip
        path = Path("data", f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path


@pytest.mark.parametrize("tiny", [True, False], indirect=True, ids=["variable rate", "one rate"])
def test_page_figures_and_numbers(tiny: str, capsys: Capture) -> None:
    PAGE.parent.mkdir()
    PAGE.write_text("# Results\n\nSomething else.\n")
    assert main(ARGUMENTS) == 0, capsys.readouterr().err
    page = PAGE.read_text()
    assert page.startswith(
        "# Results\n\nSomething else.\n\n<!-- results: kodak: begin; written by make results"
    )
    for heading in ("## Rate and distortion on Kodak", "### Screen: 2 images", "### Overall: 3 images"):
        assert heading in page
    for row in (
        "**JPEG** | measured here",
        "GLIC | published | -19.3",
        "JPEG · Pillow ",
        "screen/flat | 100×70",
    ):
        assert f"| {row}" in page
    arguments = "--qualities 0,50,100 --ood-qualities 0,50,100 --codecs jpeg,webp"
    assert f"\ncommand: make results 'ARGS={arguments}'\n" in page
    assert f"\nweights: {tiny} " in page
    images = {path.name.removeprefix("results-") for path in Path("docs/images").iterdir()}
    assert images == {
        "kodak-psnr.png", "kodak-psnr.svg", "kodak-ms-ssim.png", "kodak-ms-ssim.svg", "kodak.html",
        "kodak-crops.png", "ood-bars.png", "ood-bars.svg", "ood-crops.png",
    }  # fmt: skip
    assert all(f"](images/results-{name})" in page for name in images if not name.endswith(".svg"))
    assert {path.name for path in Path("docs/data").iterdir()} == {
        "results-kodak.tsv", "results-kodak-bd.tsv", "results-kodak-anchor.tsv", "results-ood.tsv",
        "results-ood-bd.tsv",
    }  # fmt: skip
    _numbers_are_those_of_the_files(tiny)


def _numbers_are_those_of_the_files(tiny: str) -> None:
    document = json.loads(Path("runs/results/screen/results.json").read_text())
    assert [image["image"] for image in document["images"]] == ["desk", "flat"]
    rows = {row["setting"]: row for row in document["images"][0]["codecs"] if row["codec"] == "jpeg"}
    pixels = np.array(Image.open("data/ood/screen/desk.png"))
    assert rows["quality 50"]["size"] == len(JPEG.encode(pixels, 50))
    settings = [mean["setting"] for mean in document["mean"] if mean["codec"].startswith("tiny")]
    assert settings == (["quality 0", "quality 50", "quality 100"] if tiny == "tiny" else ["λ 0.01"])
    assert {mean["codec"] for mean in document["mean"][len(settings) :]} == {"jpeg", "webp", "avif"}


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("tiny", [True, False], indirect=True, ids=["variable rate", "one rate"])
def test_an_effort_is_a_codec_of_its_own(tiny: str, capsys: Capture) -> None:
    assert main([*ARGUMENTS, "--effort", "2", "--effort-qualities", "0,40,100"]) == 0, capsys.readouterr().err
    ours = "tiny" if tiny == "tiny" else "tiny-λ"
    searched = f"{ours}, effort 2"
    document = json.loads(Path("runs/results/kodak/results.json").read_text())
    means = {(mean["codec"], mean["setting"]): mean for mean in document["mean"]}
    assert [setting for codec, setting in means if codec == searched] == (
        ["quality 0", "quality 40", "quality 100"] if tiny == "tiny" else ["λ 0.01"]
    )
    shared = [setting for codec, setting in means if codec == searched and (ours, setting) in means]
    assert shared and all(
        (means[searched, setting]["size"], means[searched, setting]["psnr"])
        != (means[ours, setting]["size"], means[ours, setting]["psnr"])
        for setting in shared
    )
    page = PAGE.read_text()
    assert f"| **{searched}** | measured here |" in page and f"\n| {searched} | " in page
    assert f"`{searched}` beside the same codecs" in page and "the encoder searches" in page
    assert "effort" not in page[page.index("## Out of domain") : page.rindex("command: make results")]
    rows = read_data(Path("docs"), "results-kodak-bd.tsv")
    codecs = [ours, searched, "JPEG", "WebP"]
    assert [(row["codec"], row["against"]) for row in rows] == [
        (codec, other) for codec in codecs[:2] for other in codecs if other != codec
    ]


@pytest.mark.usefixtures("no_figures")
def test_only_what_changed_is_measured_again(
    tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert main(["--classical-only", *ARGUMENTS]) == 0
    assert not Path("docs").exists()
    encoded: list[str] = []
    encode = PillowCodec.encode
    monkeypatch.setattr(
        PillowCodec, "encode", lambda self, x, setting: encoded.append(self.name) or encode(self, x, setting)
    )
    assert main(ARGUMENTS) == 0
    assert encoded == []
    Image.fromarray(soft_image(70, 100) // 2).save("data/ood/document/page.png")
    assert main(ARGUMENTS) == 0
    assert set(encoded) == {"jpeg", "webp", "avif"} and len(encoded) == 28


@pytest.mark.usefixtures("no_figures")
def test_with_other_code_ours_is_measured_again(monkeypatch: pytest.MonkeyPatch, tiny: str) -> None:
    kept, fingerprint = (
        Path("runs/results/measurements.jsonl"),
        "studies.results.measuring.code_fingerprint",
    )

    def measurements(code: str) -> int:
        monkeypatch.setattr(fingerprint, lambda: code)
        assert main(["--kodak", "nowhere", *ARGUMENTS]) == 0
        return kept.read_text().count('"key"')

    first = measurements("code")
    assert measurements("code") == first
    assert measurements("other code") == first + 9  # three images at three qualities


def test_code_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("codec", "cli"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1")
    monkeypatch.setattr("glic_pyg.__file__", str(tmp_path / "__init__.py"))
    first = code_fingerprint()
    (tmp_path / "cli" / "a.py").write_text("2")
    assert code_fingerprint() == first
    (tmp_path / "codec" / "a.py").write_text("2")
    assert code_fingerprint() != first


@pytest.mark.usefixtures("no_figures")
def test_larger_images_are_cut(tiny: str) -> None:
    assert main([*ARGUMENTS, "--ood-side", "64", "--kodak", "nowhere"]) == 0
    page = PAGE.read_text()
    assert "the centre of 64×64 pixels" in page and "| document/page | 64×64 |" in page
    assert "Kodak" not in page


def test_what_is_wrong_is_one_sentence(tiny: str, capsys: Capture) -> None:
    assert main(["--codecs", "jpg"]) == 1
    assert capsys.readouterr().err.startswith("results: There is no codec jpg; there are jpeg,")
    assert main(["--kodak", "nowhere", "--ood", "nothing"]) == 1
    assert "neither nowhere nor nothing exists" in capsys.readouterr().err


@pytest.mark.usefixtures("no_figures")
def test_codecs_that_are_not_here_are_named(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PillowCodec, "missing", lambda self: "a tool" if self.name == "webp" else None)
    assert main(ARGUMENTS) == 0
    assert "WebP is left out: it needs a tool." in PAGE.read_text()
