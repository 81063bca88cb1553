"""``glic inspect``: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glic_pyg.cli.inspect import main as inspect_main
from glic_pyg.cli.inspect import print_numbers
from glic_pyg.cli.main import main
from glic_pyg.inspection.inspect import inspect_image
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import load_weights, save_weights

pytestmark = pytest.mark.usefixtures("folder")
Capture = pytest.CaptureFixture[str]
WEIGHTS = ["--weights", "graphs.safetensors"]


@pytest.fixture(autouse=True)
def graphs(folder: Path) -> Path:
    """Weights with graphs, graphs.safetensors."""
    sizes = {"widths": (4, 8, 8, 8), "gated_depth": 1, "gated_expansion": 1, "gfa_depth": 2, "heads": 2}
    context = {"context_expansion": 1, "context_width": 4, "parameter_width": 4}
    torch.manual_seed(0)
    model = GLIC(**sizes, gfa_expansions=(1, 1), hyper_channels=4, hyper_depth=1, groups=(4, 4), **context)
    save_weights(folder / "graphs.safetensors", model, {})
    return folder / "graphs.safetensors"


def test_numbers_are_printed_where_nothing_is_asked(capsys: Capture) -> None:
    assert main(["inspect", "a.png", *WEIGHTS]) == 0
    said = capsys.readouterr().out
    assert said.startswith("a.png by graphs: ")
    assert all(
        f"g_{side} stage {stage} {kind}" in said
        for side in "as"
        for stage in (1, 2)
        for kind in ("local", "mesh")
    )


def test_rate_and_distortion_come_first(graphs: Path, capsys: Capture) -> None:
    with Image.open("a.png") as image:
        seen = inspect_image(load_weights(graphs), np.array(image), name="a", weights="graphs")
    print_numbers(seen)
    print_numbers(replace(seen, decoded=seen.image))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("a by graphs: ")]
    rate = f"a by graphs: {seen.bpp:.4f} bpp estimated, "
    assert lines == [f"{rate}{seen.psnr:.2f} dB", f"{rate}lossless"]


def test_against_a_photo_weights_and_bfloat16(graphs: Path, capsys: Capture) -> None:
    save_weights("same.safetensors", load_weights(graphs), {})
    for second, whole in (("b.jpg", False), ("same.safetensors", True), ("bf16", False)):
        assert main(["inspect", "a.png", *WEIGHTS, "--against", second]) == 0
        table = capsys.readouterr().out.split("in common (Jaccard)")[1].splitlines()[1:]
        assert len(table) == 8 and (all("100.0%" in line for line in table) == whole)


def test_two_training_steps_of_a_model(graphs: Path, capsys: Capture) -> None:
    """A step that moves the second block's input leaves some of its edges where they are."""
    model = load_weights(graphs)
    model.g_a(torch.rand(1, 3, 128, 128)).square().mean().backward()
    with torch.no_grad():
        for parameter in model.g_a.parameters():
            if parameter.grad is not None:
                parameter -= 0.02 * parameter.grad.sign()
    save_weights("later.safetensors", model, {})
    assert main(["inspect", "a.png", *WEIGHTS, "--against", "later.safetensors"]) == 0
    shares = re.findall(r"g_a stage 2 \w+ +([\d.]+)%", capsys.readouterr().out.split("(Jaccard)")[1])
    assert len(shares) == 2 and all(20 < float(share) < 100 for share in shares)


def test_exports(capsys: Capture) -> None:
    names = ["a.npz", "a.pt", "a.graphml", "a.json", "a.parquet"]
    assert main(["inspect", "a.png", *WEIGHTS, *(part for name in names for part in ("--export", name))]) == 0
    graphml = [f"a.g_{n}.{k}.graphml" for n in ("a.blocks.1", "s.blocks.0") for k in ("local", "mesh")]
    made = ["a.npz", "a.pt", "a.json", "a.edges.parquet", "a.nodes.parquet", *graphml]
    said, told = capsys.readouterr()
    assert all(Path(name).stat().st_size and name in said for name in made)
    size = sum(path.stat().st_size for path in Path().glob("*.graphml"))
    told_size = re.search(r"8 GraphML files, about (\d+) MB", told)
    assert told_size and int(told_size[1]) == pytest.approx(size / 1e6, rel=0.02, abs=0.6)
    numbers = json.loads(Path("a.json").read_text())
    with np.load("a.npz") as arrays:
        assert numbers["graphs"][0]["edges"] == len(arrays["g_a.blocks.1/local/source"])
        assert numbers["estimated_bits"] == pytest.approx(arrays["bits/y"].sum() + arrays["bits/z"].sum())
    assert not [path for path in Path().iterdir() if path.name.startswith(".inspect-")]
    assert main(["inspect", "a.png", *WEIGHTS, "--export", "a.npz"]) == 1
    assert "a.npz exists; overwrite it with --force." in capsys.readouterr().err


def test_figures(capsys: Capture) -> None:
    assert main(["inspect", "a.png", *WEIGHTS, "--figures", "figures", "--at", "30,20"]) == 0
    names = ["bits_and_error", "degrees", "neighbourhoods", "receptive_fields"]
    made = {f"a.{name}.{kind}" for name in names for kind in ("png", "svg", "pdf")}
    assert {path.name for path in Path("figures").iterdir()} == made
    with Image.open("figures/a.receptive_fields.png") as figure:
        assert figure.height > 1.2 * figure.width  # before and after training, one above the other
    assert main(["inspect", "a.png", *WEIGHTS, "--figures", "figures"]) == 1


def test_a_page(capsys: Capture) -> None:
    assert main(["inspect", "a.png", *WEIGHTS, "-o", "a.html", "--against", "b.jpg", "--fields", "1"]) == 0
    page = Path("a.html").read_text(encoding="utf-8")
    assert "a.png" in page and "b.jpg" in page and "a.html" in capsys.readouterr().out


@pytest.mark.usefixtures("tiny_weights")
def test_a_model_without_graphs(capsys: Capture) -> None:
    assert main(["inspect", "a.png"]) == 0
    assert "This model builds no graphs." in capsys.readouterr().out
    assert main(["inspect", "a.png", "-o", "a.html"]) == 1
    assert "tiny builds no graphs" in capsys.readouterr().err and not Path("a.html").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--export", "a.csv"], "There is no export to 'a.csv'; end it in .npz, .pt"),
        (["--export", "nowhere/a.npz"], "The folder nowhere does not exist"),
        (["-o", "b.jpg"], "The page b.jpg should end in .html."),
        (["--figures", "out", "--at", "900,1"], "The pixel 900,1 is not in an image of 56 x 40 pixels."),
        (["--quality", "200"], "A quality is a number from 0 to 100"),
        (["--against", "missing.png"], "missing.png"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], sentence: str, capsys: Capture) -> None:
    assert main(["inspect", "a.png", *WEIGHTS, *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_a_place_is_two_numbers(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as error:
        inspect_main(["a.png", "--at", "3"])
    assert error.value.code == 2 and "'3' is no pixel: give X,Y" in capsys.readouterr().err
