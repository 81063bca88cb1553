"""The example notebook runs, and shows what it speaks of."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest

from glic_pyg.codec.weights_store import shipped_names

nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "graphs.ipynb"


@pytest.mark.skipif(not shipped_names(), reason="no weights are shipped")
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the machinery of notebooks
        nbclient.NotebookClient(
            notebook, timeout=250, resources={"metadata": {"path": NOTEBOOK.parent}}
        ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    assert "mesh graph" in shown and "g_a stage 2" in shown
    assert any("g_s stage 1 mesh" in output.get("text", "") for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("HeteroData" in output.get("data", {}).get("text/plain", "") for output in outputs)


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
