"""Tables of docs/results.md and docs/leaderboard.md say what docs/data says, and so do the front pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from glic_pyg.evaluation.bd_rate import Delta
from glic_pyg.evaluation.tables import NOTHING, number_cell, percent_cells
from studies.page import DOCS, read_data, write_data
from studies.results.numbers import row_of_bd_rates

Row = Mapping[str, str]
FILES = sorted(path.name for path in (DOCS / "data").glob("*.tsv"))
SECTIONS = {"kodak": "results: kodak", "ood": "results: ood"}


def section(page: str, name: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return text[text.index(f"<!-- {name}: begin;") : text.index(f"<!-- {name}: end -->")]


def tables(text: str, first: str) -> list[list[dict[str, str]]]:
    """Every table whose header begins with that cell: cells by name, a second of a name with a number."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text + "\n", re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip("|\n ").split(" | ")] for line in block.splitlines()]
        header = [
            f"{name} {lines[0][:n].count(name) + 1}".removesuffix(" 1") for n, name in enumerate(lines[0])
        ]
        if header[0] == first:
            found.append([dict(zip(header, line, strict=True)) for line in lines[2:]])
    return found


def number(row: Row, name: str) -> float | None:
    return float(row[name]) if row[name] else None


def percent(row: Row, rate: str, overlap: str) -> tuple[str, str]:
    value, share = number(row, rate), number(row, overlap)
    return percent_cells(None if value is None or share is None else Delta(value, share))


def sets_of(kind: str) -> list[str]:
    return list(dict.fromkeys(row["set"] for row in read_data(DOCS, f"results-{kind}.tsv")))


@pytest.mark.parametrize("kind", SECTIONS)
def test_operating_points(kind: str) -> None:
    rows, shown = (
        read_data(DOCS, f"results-{kind}.tsv"),
        tables(section("results.md", SECTIONS[kind]), "setting"),
    )
    deltas = read_data(DOCS, f"results-{kind}-bd.tsv")
    codecs = dict.fromkeys((row["set"], row["codec"]) for row in deltas)
    assert len(shown) == len(codecs) >= (1 if kind == "kodak" else 5)
    for name, table in zip(codecs, shown, strict=True):
        points = [row for row in rows if (row["set"], row["codec"]) == name]
        assert len(points) == len(table) >= (5 if name[1] == deltas[0]["codec"] else 4)
        for point, cells in zip(points, table, strict=True):
            assert cells["setting"] == point["setting"]
            for column, key, form in (
                ("bytes", "bytes", ",.0f"), ("bpp", "bpp", ".4f"), ("PSNR, dB", "psnr_db", ".3f"),
                ("MS-SSIM", "ms_ssim", ".5f"), ("MS-SSIM, dB", "ms_ssim_db", ".3f"),
                ("encode, s", "encode_s", ".2f"), ("decode, s", "decode_s", ".2f"),
            ):  # fmt: skip
                assert cells[column].partition(" (of")[0] == number_cell(number(point, key), form), (
                    name,
                    column,
                )


@pytest.mark.parametrize("kind", SECTIONS)
def test_deltas(kind: str) -> None:
    rows, shown = (
        read_data(DOCS, f"results-{kind}-bd.tsv"),
        tables(section("results.md", SECTIONS[kind]), "against"),
    )
    codecs = dict.fromkeys((row["set"], row["codec"]) for row in rows)
    assert len(shown) == len(codecs) and {name for name, _ in codecs} == set(sets_of(kind))
    for codec, table in zip(codecs, shown, strict=True):
        deltas = [row for row in rows if (row["set"], row["codec"]) == codec]
        assert len(deltas) == len(table) >= 3
        for delta, cells in zip(deltas, table, strict=True):
            assert cells["against"].partition(" · ")[0] == delta["against"]
            expected = percent(delta, "bd_rate_percent", "overlap")
            expected += percent(delta, "bd_rate_ms_ssim_percent", "overlap_ms_ssim")
            rates = ("BD-rate, %", "overlap, %", "BD-rate at equal MS-SSIM, %", "overlap, % 2")
            assert tuple(cells[column] for column in rates) == expected
            assert cells["BD-PSNR, dB"] == number_cell(number(delta, "bd_psnr_db"), "+.2f")
            mean, least, most = (f"{float(delta[f'{name}gain_db']):+.2f}" for name in ("", "least_", "most_"))
            assert cells["by image, dB"] == f"{mean} ({least} … {most})"
            assert cells["better on"].startswith(f"{delta['better_on']} of ")


def test_against_the_anchor() -> None:
    [table] = [t for t in tables(section("results.md", "results: kodak"), "codec") if "BD-PSNR, dB" in t[0]]
    rows = read_data(DOCS, "results-kodak-anchor.tsv")
    assert len(rows) == len(table) > 20
    for row, cells in zip(rows, table, strict=True):
        bold = "**" if row["points"] == "measured" else ""
        assert cells["codec"] == f"{bold}{row['codec']}{bold}"
        assert (cells["BD-rate, %"], cells["overlap, %"]) == percent(row, "bd_rate_percent", "overlap")
        assert cells["BD-PSNR, dB"] == number_cell(number(row, "bd_psnr_db"), "+.2f")


def test_leaderboard() -> None:
    [table] = [t for t in tables(section("leaderboard.md", "leaderboard"), "codec") if "kMAC/px" in t[0]]
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in read_data(DOCS, "leaderboard.tsv"):
        bold = "**" if row["points"] == "measured" else ""
        cells = found.setdefault((f"{bold}{row['codec']}{bold}", row["points"]), {})
        cells[f"{row['set']}: {row['against']}"] = number_cell(number(row, "bd_rate_percent"), "+.1f")
        counted = row["decoder_kmac_from"] == "counted"
        assert counted == row_is_counted(table, row["codec"], bold)
    assert [(row["codec"], row["BD-rate"]) for row in table] == list(found)
    for cells, named in zip(table, found.values(), strict=True):
        anchors = {name: value for name, value in cells.items() if ": VTM" in name}
        assert anchors == {name: named.get(name, NOTHING) for name in anchors}


def row_is_counted(table: list[dict[str, str]], codec: str, bold: str) -> bool:
    return next(row for row in table if row["codec"] == f"{bold}{codec}{bold}")["kMAC/px"].endswith("*")


def test_results_and_leaderboard_are_of_the_same_measurements() -> None:
    """After ``make results`` comes ``make leaderboard``."""
    board = {
        (row["codec"], row["points"]): row["bd_rate_percent"]
        for row in read_data(DOCS, "leaderboard.tsv")
        if (row["set"], row["against"]) == ("kodak", "VTM-9.1")
    }
    for row in read_data(DOCS, "results-kodak-anchor.tsv"):
        theirs = board[row["codec"], row["points"]]
        assert float(theirs) == pytest.approx(float(row["bd_rate_percent"]), abs=0.01), row["codec"]


@pytest.mark.parametrize("name", FILES)
def test_every_row_names_licence_and_source(name: str) -> None:
    rows = read_data(DOCS, name)
    assert rows and all(row["licence"] and row["source"] for row in rows)
    assert f"| [{name}](data/{name}) | " in (DOCS / "results-data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", DOCS / "index.md"], ids=lambda page: page.name)
def test_the_front_pages_have_the_row_of_bd_rates(page: Path) -> None:
    row = row_of_bd_rates(
        read_data(DOCS, "results-kodak-bd.tsv"), read_data(DOCS, "results-kodak-anchor.tsv")
    )
    assert f"begin; written by make results -->\n{row}\n<!-- results: row: end -->" in page.read_text("utf-8")
    assert "VTM-9.1 |" in row and len(re.findall(r"[+-]\d+\.\d \|", row)) >= 5


def test_data_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_data(tmp_path, "x.tsv", ("name", "value"), [["a\tb", 0.1 + 0.2], ["ü", None]])
    rows = read_data(tmp_path, "x.tsv")
    assert rows == [{"name": "a\tb", "value": repr(0.1 + 0.2)}, {"name": "ü", "value": ""}]
