import json
import math
import random
from pathlib import Path

import pytest

from glic_pyg.cli.main import main

Capture = pytest.CaptureFixture[str]


def test_headline_beside_the_papers_numbers(capsys: Capture) -> None:
    assert main(["rd"]) == 0
    said = capsys.readouterr().out
    for pair in ("-19.27 % -19.29 %", "+0.244 dB +0.26 dB", "+0.548 dB +0.56 dB"):
        assert pair in " ".join(said.split())


def test_every_published_codec_against_an_anchor(capsys: Capture) -> None:
    assert main(["rd", "kodak", "--anchor", "BPG 4:4:4", "--method", "pchip"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "against BPG 4:4:4 in psnr (pchip)" in lines[0]
    assert len(lines) == 2 + 14 and not any(line.startswith("BPG") for line in lines[1:])


def test_curves_without_ms_ssim_are_left_out(capsys: Capture) -> None:
    main(["rd", "kodak", "--metric", "ms-ssim"])
    said = capsys.readouterr().out
    assert "cheng2020-attn" in said and "TCM-L" not in said


def mean(codec: object, bpp: object, psnr: object, ms_ssim: object = 0.9) -> dict[str, object]:
    return {"codec": codec, "bpp": bpp, "psnr": psnr, "ms_ssim": ms_ssim}


GOOD = [mean("a", 0.1, 30, 0.9), mean("a", 0.2, 33, 0.95), mean("a", 0.4, 36, 0.98)]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("key", ["bpp", "psnr"])
def test_points_of_which_nothing_is_known_are_left_out(
    capsys: Capture, tmp_path: Path, key: str, value: float | None
) -> None:
    odd = {**mean("b", 0.1, 31.0), key: value}
    means = [*GOOD, odd, mean("b", 0.2, 34.0), mean("b", 0.3, 35.5)]
    (tmp_path / "r.json").write_text(json.dumps({"images": [{}], "mean": means}))
    assert main(["rd", "--results", str(tmp_path / "r.json"), "-o", str(tmp_path / "figures")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "b (measured)" in said and "r.json, 1 images; 1 of 3 points without rate or error left out" in said
    assert "NaN" not in (tmp_path / "figures/rd-psnr.html").read_text()


@pytest.mark.parametrize("rate", [0, -0.1, 0.0])
def test_a_rate_of_zero_is_left_out(capsys: Capture, tmp_path: Path, rate: float) -> None:
    means = [*GOOD, mean("b", rate, 31.0), mean("b", 0.2, 34.0), mean("b", 0.3, 35.5)]
    (tmp_path / "r.json").write_text(json.dumps({"images": [{}], "mean": means}))
    assert main(["rd", "--results", str(tmp_path / "r.json")]) == 0
    assert "1 of 3 points without rate or error" in " ".join(capsys.readouterr().out.split())


def test_a_similarity_of_1_or_none(capsys: Capture, tmp_path: Path) -> None:
    """Older results hold ones a little above; they have no decibels."""
    means = [*GOOD, mean("b", 0.1, 31, 0.91), mean("b", 0.2, 34, 0.96), mean("b", 0.5, 60, 1.0000001)]
    means += [mean("c", 0.1, 31, None), mean("c", 0.2, 34, 0.9)]
    (tmp_path / "r.json").write_text(json.dumps({"images": [{}], "mean": means}))
    figures = str(tmp_path / "figures")
    assert main(["rd", "--results", str(tmp_path / "r.json"), "--metric", "ms-ssim", "-o", figures]) == 0
    said = capsys.readouterr().out
    [b] = [line for line in said.splitlines() if line.startswith("b (measured)")]
    assert "%" in b and "dB" in b and "c (measured)" not in said


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "is no results file"),
        ({"images": [], "mean": []}, "holds no measurements"),
        ({"images": 3, "mean": GOOD}, "is no results file"),
        ({"images": [{}], "mean": [mean("a", "0.1", 30)]}, "is no results file"),
        ({"images": [{}], "mean": [mean("a", True, 30)]}, "is no results file"),
        ({"images": [{}], "mean": [mean("a", [1], 30)]}, "is no results file"),
        ({"images": [{}], "mean": [mean(["a"], 0.1, 30)]}, "is no results file"),
        ({"images": [{}], "mean": [mean("a", 10**400, 30)]}, "is no results file"),
        ({"images": [{}], "mean": [5]}, "is no results file"),
        ({"images": [{}], "mean": GOOD, "curves": "x"}, "is no results file"),
    ],
)
def test_what_is_no_results_file_is_one_sentence(
    capsys: Capture, tmp_path: Path, document: object, sentence: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(document))
    assert main(["rd", "--results", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"glic rd: {path} {sentence}") and said.count("\n") == 1


def test_any_numbers_end_in_a_table_or_a_sentence(capsys: Capture, tmp_path: Path) -> None:
    rng = random.Random(0)
    numbers = [None, math.nan, math.inf, 0, -1, 1e-300, 1e300, 0.1, 0.2, 0.2, 0.5, 1.0, 30, 33.0, 36, 99.5]
    path = tmp_path / "r.json"
    for number in range(60):
        means = [
            mean(rng.choice(["a", "b", "[/c]"]), *rng.choices(numbers, k=3)) for _ in range(rng.randint(1, 8))
        ]
        path.write_text(json.dumps({"images": [{}], "mean": means}))
        metric, method = rng.choice(["psnr", "ms-ssim"]), rng.choice(["akima", "cubic", "pchip"])
        more = ["-o", str(tmp_path / "figures"), "--force"] if number % 10 == 0 else []
        code = main(["rd", "--results", str(path), "--metric", metric, "--method", method, *more])
        said = capsys.readouterr()
        assert code == 0 or (code == 1 and said.err.startswith("glic rd: ") and said.err.count("\n") == 1)


@pytest.mark.parametrize("right", ["0", "-1", "nan", "inf", "x"])
def test_where_a_figure_cannot_end(capsys: Capture, right: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["rd", "kodak", "--right", right])
    assert end.value.code == 2 and "--right" in capsys.readouterr().err


def test_unknown_names_are_one_sentence(capsys: Capture) -> None:
    assert main(["rd", "kodiak"]) == 1
    assert capsys.readouterr().err.startswith("glic rd: No published points for 'kodiak'; there are kodak,")
    assert main(["rd", "tecnick", "--anchor", "H.261"]) == 1
    assert capsys.readouterr().err == "glic rd: There is no curve 'H.261'; there are GLIC, FTIC, TCM-L.\n"
