"""``make leaderboard`` on a page of curves and with sizes that are quickly counted."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.bench import HEADER
from benchmarks.flops import glic_flops
from glic_pyg.cli.hydra import compose_option
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.curve_plots import curves_page
from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.published import published_curves
from studies.leaderboard import command
from studies.leaderboard.field import complexities, decoder_cost, stated
from studies.leaderboard.interactive import leaderboard_page
from studies.leaderboard.page import efficiency_section
from studies.leaderboard.rows import Row, Size, leaderboard_rows, measured_curves, our_sizes

Capture = pytest.CaptureFixture[str]
TITLE = "Mean of the 24 Kodak images"
OURS = Curve("glic_xxs", (0.1, 0.2, 0.4, 0.8), (25.0, 28.0, 31.0, 34.0), None, "measured here")
SIZES = [Size("glic", 69_000_000, 2.6e11, 2.8e11), Size("glic_xxs", 1_600_000, 4.8e9, 5.6e9)]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder of documentation as ``make results`` and ``python -m benchmarks`` leave it."""
    (tmp_path / "images").mkdir()
    theirs = published_curves("kodak")["VTM-9.1"]
    (tmp_path / "images/results-kodak.html").write_text(curves_page([OURS, theirs], TITLE), encoding="utf-8")
    cells = ["glic_xxs", "768×512", "float32", *(f"{number}.5 (1.00×)" for number in range(len(HEADER) - 3))]
    table = f"| {' | '.join(HEADER)} |\n|---|\n| {' | '.join(cells)} |\n\nlegend\n"
    (tmp_path / "results.md").write_text(table, encoding="utf-8")
    return tmp_path


def test_everything_stated_names_its_source() -> None:
    assert len(complexities()) == 87
    for entry in complexities():
        assert entry.source and "http" not in entry.source
        assert any(
            (entry.parameters_m, entry.kmac, entry.kmac_decode, entry.encode_s, entry.decode_s, entry.note)
        )
    assert {"GLIC", "HPCM-Large", "CMIC"} <= {entry.codec for entry in stated()}


def test_what_the_paper_compares_with_is_there() -> None:
    by_codec = {e.codec: e for e in complexities() if e.measured_by == "CMIC authors"}
    assert by_codec["MambaIC"].memory_gb == 20.32 and by_codec["TCM-L"].decode_s == (0.542, 0.542)
    assert by_codec["FTIC"].decode_s is None and "> 10 s" in by_codec["FTIC"].note


def test_costs_of_decoders() -> None:
    tcm, hpcm, cheng = (decoder_cost(name) for name in ("TCM-L", "HPCM-Large", "cheng2020-attn"))
    assert tcm is not None and tcm.low == tcm.high == pytest.approx(441e6 / 393216, abs=0.1) and not tcm.whole
    assert hpcm is not None and hpcm.whole and hpcm.low == 1261.29
    assert cheng is not None and (cheng.low, cheng.high) == (260.286, 583.058)
    elic = decoder_cost("ELIC (official, 10 points)")
    assert elic is not None and (elic.low, elic.high) == (381.8, 592.5) and len(elic.sources) == 2
    assert decoder_cost("LALIC") is None and decoder_cost("VTM-9.1") is None


def test_measured_curves_of_the_docs(docs: Path) -> None:
    [curve] = measured_curves(docs)
    assert (curve.name, curve.bpp, curve.psnr, curve.data_set) == ("glic_xxs", OURS.bpp, OURS.psnr, "kodak")


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (None, "is no page of curves that make results wrote"),
        ("<title>x</title>", "is no page of curves that make results wrote"),
        (curves_page([OURS], TITLE.replace("24", "3")), "is of 3 images; published means are over 24."),
    ],
)
def test_what_are_no_measured_curves(docs: Path, page: str | None, sentence: str) -> None:
    path = docs / "images/results-kodak.html"
    path.unlink() if page is None else path.write_text(page, encoding="utf-8")
    with pytest.raises(GlicError, match=sentence):
        measured_curves(docs)


def test_our_sizes_are_counted(docs: Path) -> None:
    [size] = our_sizes(docs, ["glic_xxs"])
    flops = glic_flops(compose_option("model", "glic_xxs"), 512, 768)
    assert size.cost.low * 768 * 512 * 1e3 * 2 == pytest.approx(flops.synthesis + flops.decode_networks)
    assert 1e6 < size.parameters < 2e6
    assert size.measured["whole encode, s"] == "6.5 (1.00×)"
    assert size.measured["memory, MB: decode"] == "9.5 (1.00×)"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return leaderboard_rows([OURS], SIZES)


def test_rows_are_in_order_and_never_mix_images(rows: list[Row]) -> None:
    firsts = [row.first for row in rows if row.first is not None]
    assert firsts == sorted(firsts) and [row.name for row in rows[:3]] == ["HPCM-Large", "GLIC", "DCAE"]
    by_name = {row.name: row for row in rows}
    ours, glic = by_name["glic_xxs"], by_name["GLIC"]
    assert ours.measured and ours.cost_counted and list(ours.deltas) == ["kodak"]
    assert not glic.measured and glic.cost_counted and glic.cost == SIZES[0].cost
    values = [found.value for deltas in glic.deltas.values() for found in deltas if found]
    assert values == pytest.approx([-19.3, -18.7, -18.9, -17.8, -21.9, -22.8], abs=0.05)
    assert {data_set for row in rows for data_set in row.curves} == {"kodak", "clic-pro-valid", "tecnick"}
    assert "clic-pro-valid: sjtu-medialab" in by_name["VTM-9.1"].sources


def test_published_and_measured_stand_apart(rows: list[Row]) -> None:
    section = efficiency_section(rows, SIZES, how="how")  # type: ignore[arg-type]
    published, ours = section.split("### Ours")
    assert "| MambaIC | 157.09 | 5.56 | 0.669 | 20.32 |" in published and "glic_xxs" not in published
    assert "| `glic_xxs` | " in ours and "MambaIC" not in ours and "| 1.60 | 4.8 | 5.6 |" in ours


def test_the_page_loads_nothing_and_has_every_source(rows: list[Row]) -> None:
    page = leaderboard_page(rows)
    assert len(page.encode()) < 1_000_000
    assert page.count("</script>") == 1 and not re.search(r"(src|href)=|https?:|import ", page)
    shown = json.loads(re.search(r"const data = (.*);\n", page)[1])["rows"]  # type: ignore[index]
    assert len(shown) == len(rows) > 70
    for row in shown:
        assert set(row["deltas"]) == set(row["curves"])
        assert all(c["source"] and (row["measured"] or c["licence"]) for c in row["curves"].values())
        assert not row["cost"] or row["costSource"]


def test_the_command_writes_the_page_anew(
    docs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "our_sizes", lambda docs: SIZES)
    (docs / "leaderboard.md").write_text("# Leaderboard\n\nmine\n", encoding="utf-8")
    assert command.main(["--docs", str(docs)]) == 0
    text = (docs / "leaderboard.md").read_text(encoding="utf-8")
    assert "mine" in text and "command: make leaderboard" in text
    assert "| **glic_xxs** | measured | +" in text and "| HPCM-Large | published | -20.0 | -19.4 |" in text
    assert (docs / "images/leaderboard.png").read_bytes().startswith(b"\x89PNG")
    assert command.main(["--docs", str(docs)]) == 0
    assert (docs / "leaderboard.md").read_text(encoding="utf-8") == text
    (docs / "images/results-kodak.html").unlink()
    assert command.main(["--docs", str(docs)]) == 1
    assert capsys.readouterr().err.startswith("leaderboard: ")
