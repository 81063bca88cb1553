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


def test_unknown_names_are_one_sentence(capsys: Capture) -> None:
    assert main(["rd", "kodiak"]) == 1
    assert capsys.readouterr().err.startswith("glic rd: No published points for 'kodiak'; there are kodak,")
    assert main(["rd", "tecnick", "--anchor", "H.261"]) == 1
    assert capsys.readouterr().err == "glic rd: There is no curve 'H.261'; there are GLIC, FTIC, TCM-L.\n"
