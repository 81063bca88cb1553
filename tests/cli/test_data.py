"""``glic data``: fetching and checking, as a user types it."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from glic_pyg.cli.main import main
from glic_pyg.data.download import Download
from tests.data.web import Web, serve


@pytest.fixture
def web() -> Iterator[Web]:
    with serve() as running:
        yield running


@pytest.fixture
def listed(web: Web, tmp_path: Path) -> Path:
    """A list of three images, the last without a checksum."""
    rows = ["# Three greys.", "url,sha256,name"]
    for number in range(3):
        out = io.BytesIO()
        Image.new("L", (20, 16 + number), 50 * number).save(out, "PNG")
        digest = hashlib.sha256(out.getvalue()).hexdigest() if number < 2 else ""
        rows.append(f"{web.add(f'/{number}', out.getvalue())},{digest},{number}.png")
    path = tmp_path / "list.csv"
    path.write_text("\n".join(rows))
    return path


def test_get_and_check(listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    assert main(["data", "get", str(listed), "-o", str(folder)]) == 0
    said = capsys.readouterr().err
    assert "Three greys." in said and "1.png: fetched" in said
    assert "1 of 3 files have no published checksum" in said and "all 3 files are there" in said
    assert main(["data", "get", str(listed), "-o", str(folder)]) == 0
    assert capsys.readouterr().err.count("already there") == 3
    assert main(["data", "check", str(folder)]) == 0
    assert capsys.readouterr().out.startswith(
        "3 images of 0.0 Mpixel in all, none smaller than 16 pixels; 0 faults"
    )


def test_check_counts_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (20, 16)).save(tmp_path / "a.png")
    (tmp_path / "b.heic").touch()
    assert main(["data", "check", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("0 faults; 1 file left out (1 .heic).\n")
    (tmp_path / "a.png").unlink()
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "holds no readable image; 1 file left out (1 .heic)." in capsys.readouterr().err


def test_a_wrong_checksum_fails_with_a_sentence(
    listed: Path, web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.add("/1", b"something else")
    assert main(["data", "get", str(listed), "-o", str(tmp_path / "set")]) == 1
    said = capsys.readouterr().err
    assert f"glic data get: {web.url}/1: the checksum is " in said and "Traceback" not in said
    assert "1 of 3 files failed" in said
    assert {path.name for path in (tmp_path / "set").glob("*.png")} == {"0.png", "2.png"}


def test_files_of_more_bytes_than_allowed_fail_alone(
    listed: Path, web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.add("/2", bytes(5000))
    assert main(["data", "get", str(listed), "-o", str(tmp_path / "set"), "--max-bytes", "4000"]) == 1
    said = capsys.readouterr().err
    assert f"glic data get: {web.url}/2: the file has 5000 bytes or more and 4000 are allowed" in said
    assert "1 of 3 files failed" in said
    assert {path.name for path in (tmp_path / "set").iterdir()} == {"0.png", "1.png", ".glic-data.json"}


def test_check_names_what_cannot_be_read(
    listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    main(["data", "get", str(listed), "-o", str(folder)])
    capsys.readouterr()
    (folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:-40])
    (folder / "x.jpg").write_bytes(b"nothing")
    assert main(["data", "check", str(folder), "--crop", "18"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "x.jpg: not an image" in lines[0] and "0.png: " in lines[1]
    assert "0.png: missing, or not of the size that was fetched" in lines[2]
    assert "1.png: 20x17 pixels, smaller than 18" in lines[3]
    assert lines[4].endswith("3 faults, 1 too small.")


def test_a_damaged_record_is_one_fault_among_the_others(
    listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    main(["data", "get", str(listed), "-o", str(folder)])
    (folder / "0.png").write_bytes(b"nothing")
    (folder / ".glic-data.json").write_text("[]")
    capsys.readouterr()
    assert main(["data", "check", str(folder)]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert "0.png: " in first and ".glic-data.json is damaged; remove it" in second
    assert "2 faults" in last


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["get", "kodac", "-o", "x"], "There is no list kodac; did you mean kodak?"),
        (["check", "nowhere"], "Data nowhere does not exist"),
    ],
)
def test_refusals_are_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"glic data: {sentence}") and said.count("\n") == 1


def test_an_interruption_says_how_to_go_on(
    listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: Download) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Download, "run", interrupted)
    assert main(["data", "get", str(listed), "-o", str(tmp_path / "set")]) == 130
    assert "interrupted; give the same command again to go on." in capsys.readouterr().err
