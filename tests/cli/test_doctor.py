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
def test_what_works_along_edges(
    present: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch_geometric.typing.WITH_TORCH_SCATTER", present)
    monkeypatch.setattr("glic_pyg.graph.candidates.torch_cluster_or_none", lambda: present or None)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert ("by torch-scatter" if present else "by torch.segment_reduce") in said
    assert ("by torch-cluster" if present else "by comparing all pairs") in said


def test_other_tables_are_an_illness(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tables, "GAUSSIAN_FINGERPRINT", "another")
    assert main(["doctor"]) == 1
    assert "BAD probability tables" in capsys.readouterr().out
