import json
import math
import random
import re
from pathlib import Path

import pytest

from glic_pyg.cli.main import main
from glic_pyg.evaluation.published import published_curves

Capture = pytest.CaptureFixture[str]


def test_headline_beside_the_papers_numbers(capsys: Capture) -> None:
    assert main(["rd"]) == 0
    said = capsys.readouterr().out
    for pair in ("-19.27 % -19.29 %", "+0.244 dB +0.26 dB", "+0.548 dB +0.56 dB"):
        assert pair in " ".join(said.split())


def rows(said: str) -> dict[str, list[str]]:
    """Cells of the printed rows by codec, without those of the source."""
    found = re.findall(
        r"^(\S.*?)  +((?:(?:[+-][\d.]+ %|–) +(?:\d+%|–) +)+(?:[+-][\d.]+ dB|–)) ", said, re.MULTILINE
    )
    return {name: re.split(r"  +", cells) for name, cells in found}


def test_every_published_codec_against_an_anchor(capsys: Capture) -> None:
    assert main(["rd", "kodak", "--anchor", "BPG 4:4:4", "--method", "pchip"]) == 0
    said = capsys.readouterr().out
    assert "against BPG 4:4:4 in psnr (pchip)" in said.splitlines()[0]
    found = rows(said)
    assert set(found) == set(published_curves("kodak")) - {"BPG 4:4:4"}
    values = [float(cells[0].removesuffix(" %")) for cells in found.values() if cells[0] != "–"]
    assert values == sorted(values)


@pytest.mark.parametrize(
    ("data_set", "second", "codec", "cells"),
    [
        ("kodak", "VTM-18.0", "HPCM-Large", ["-19.99 %", "-19.39 %"]),
        ("clic-pro-valid", "VTM-17.0", "MLIC++", ["-14.46 %", "-13.13 %"]),
        ("tecnick", "VTM-18.0", "HPCM-Large", ["-21.4", "-22.24 %"]),
    ],
)
def test_two_anchors_and_which_is_which(
    capsys: Capture, data_set: str, second: str, codec: str, cells: list[str]
) -> None:
    """The second reproduces what the authors state: -19.19, -13.08 and -22.20 %."""
    assert main(["rd", data_set]) == 0
    said = capsys.readouterr().out
    header = said.splitlines()[1]
    assert header.index("BD-rate, VTM-9.1") < header.index(f"BD-rate, {second}")
    first, _, last, *_ = rows(said)[codec]
    assert first.startswith(cells[0]) and last == cells[1]
    assert "VTM-9.1: run by" in said and f"\n{second}: " in said
    assert f"points against {second} compared with VTM-9.1 (median; " in said


def test_only_the_codecs_that_were_named(capsys: Capture, tmp_path: Path) -> None:
    assert main(["rd", "kodak", "--codec", "DCAE", "--codec", "C3", "-o", str(tmp_path)]) == 0
    assert set(rows(capsys.readouterr().out)) == {"DCAE", "C3", "VTM-9.1", "VTM-18.0"}
    assert "HPCM" not in (tmp_path / "rd-kodak-psnr.html").read_text()
    assert main(["rd", "kodak", "--codec", "X"]) == 1
    assert capsys.readouterr().err.startswith("glic rd: There is no curve 'X' of kodak; there are VTM-9.1, ")


def test_a_figure_has_room_for_the_well_known(tmp_path: Path) -> None:
    assert main(["rd", "kodak", "-o", str(tmp_path)]) == 0
    svg = (tmp_path / "rd-kodak-psnr.svg").read_text()
    assert "<!-- HPCM-Large -->" in svg and "<!-- COIN -->" not in svg
    page = (tmp_path / "rd-kodak-psnr.html").read_text()
    assert '"name":"COIN",' in page and page.count('"hidden":true') == len(published_curves("kodak")) - 19


def test_images_are_never_mixed(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"images": [{}] * 41, "mean": GOOD}))
    for arguments, sentence in {
        ("clic2020-professional", "clic-pro-valid"): "are different images despite their names",
        ("kodak", "tecnick"): "kodak and tecnick are different images; name one of them.",
        (
            "clic2020-professional",
            "--anchor",
            "GLIC",
        ): "'GLIC' is one of kodak, clic-pro-valid, tecnick: different",
        (
            "clic-pro-valid",
            "--codec",
            "AV1",
        ): "'AV1' is one of kodak, clic2020-professional, clic2020-mobile: diff",
        ("clic2020-professional", "--results", str(tmp_path / "r.json")): "use clic-pro-valid.",
        ("clic",): "clic-pro-valid (GLIC's CLIC)",
    }.items():
        assert main(["rd", *arguments]) == 1
        said = capsys.readouterr().err
        assert said.startswith("glic rd: ") and sentence in said and said.count("\n") == 1
    assert main(["rd", "clic-pro-valid", "--results", str(tmp_path / "r.json")]) == 0


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
    said = capsys.readouterr().err
    assert said.startswith(
        "glic rd: There is no curve 'H.261' of tecnick; there are GLIC, FTIC, TCM-L, HPCM-Base"
    )
    assert said.endswith(" InvCompress.\n")
