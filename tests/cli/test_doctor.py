import pytest

from glic_pyg.cli.main import main
from glic_pyg.codec import tables


def test_a_healthy_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for label in ("torch ", "constriction", "torch-scatter", "CPU threads", "oneDNN", "CUDA", "weights"):
        assert label in said
    assert "BAD" not in said and "as on every machine" in said


def test_other_tables_are_an_illness(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tables, "GAUSSIAN_FINGERPRINT", "another")
    assert main(["doctor"]) == 1
    assert "BAD probability tables" in capsys.readouterr().out
