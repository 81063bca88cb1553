import pytest

from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.page import fitted_panel as fitting
from glic_pyg.inspection.page.fitted_panel import fitted_panel


def size(inspection: Inspection, pitch: int) -> int:
    return fitting._packed(inspection, None, "a", pitch)[1].size


def test_all_nodes_of_a_small_photo(inspection: Inspection) -> None:
    assert fitted_panel(inspection, None, "a")[0]["pitch"] == 4


@pytest.mark.parametrize("pitch", [64, 48, 32, 24, 16, 8])
def test_the_most_nodes_that_fit(inspection: Inspection, pitch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "LIMIT", size(inspection, pitch))
    panel, streams = fitted_panel(inspection, None, "a")
    assert panel["pitch"] == pitch and streams.size == size(inspection, pitch)
