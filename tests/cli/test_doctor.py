import pytest

from glic_pyg.cli.main import main
from glic_pyg.codec import tables


def test_a_healthy_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for label in ("torch ", "constriction", "torch-scatter", "CPU threads", "oneDNN", "CUDA", "weights"):
        assert label in said
    assert "BAD" not in said and "as on every machine" in said


@pytest.mark.parametrize("present", [True, False])
def test_what_sums_along_edges(
    present: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch_geometric.typing.WITH_TORCH_SCATTER", present)
    assert main(["doctor"]) == 0
    assert ("by torch-scatter" if present else "by torch.segment_reduce") in capsys.readouterr().out


def test_other_tables_are_an_illness(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tables, "GAUSSIAN_FINGERPRINT", "another")
    assert main(["doctor"]) == 1
    assert "BAD probability tables" in capsys.readouterr().out
