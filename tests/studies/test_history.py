"""The weights that were shipped, over the hours that trained them."""

import math
from pathlib import Path

import pytest

from glic_pyg.codec.weights_store import default_name
from studies.page import DOCS, read_data
from studies.shipping.history import Stage, history_section, main, stages, trend_of

HEADER = "weights\tremark\tcore_hours\tvtm_9_1\tavif\twebp\twebp_out_of_domain\tlicence\tsource\n"


def stage(hours: float, rate: float) -> Stage:
    return Stage(
        f"after {hours:g}", "", hours, dict.fromkeys(("vtm_9_1", "avif", "webp", "webp_out_of_domain"), rate)
    )


def test_the_line_is_over_doublings() -> None:
    trend = trend_of([stage(hours, 100 - 20 * math.log2(hours)) for hours in (1, 2, 4, 6)])
    assert trend.a_doubling == pytest.approx(-20) and trend.farthest == pytest.approx(0, abs=1e-9)
    assert trend.ahead == pytest.approx(100 - 20 * math.log2(16))
    bent = trend_of([stage(1, 0), stage(2, 3), stage(4, 0)])
    assert bent.a_doubling == pytest.approx(0) and bent.farthest == pytest.approx(2)


def test_the_page_is_of_the_data() -> None:
    assert f"make shipped -->\n{history_section(stages(DOCS))}\n<!--" in (DOCS / "shipped.md").read_text(
        "utf-8"
    )


def test_the_last_stage_is_what_is_shipped_and_measured() -> None:
    last = stages(DOCS)[-1]
    assert last.weights == default_name()
    anchor = {row["codec"]: row["bd_rate_percent"] for row in read_data(DOCS, "results-kodak-anchor.tsv")}
    measured = {"vtm_9_1": anchor[last.weights]}
    for name, data, data_set in (
        ("avif", "kodak", "kodak"),
        ("webp", "kodak", "kodak"),
        ("webp_out_of_domain", "ood", "overall"),
    ):
        title = "AVIF" if name == "avif" else "WebP"
        [measured[name]] = (
            row["bd_rate_percent"]
            for row in read_data(DOCS, f"results-{data}-bd.tsv")
            if (row["set"], row["codec"], row["against"]) == (data_set, last.weights, title)
        )
    assert last.rates == {name: pytest.approx(float(value), abs=0.051) for name, value in measured.items()}


def test_page_and_figure_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data" / "shipped.tsv"
    data.parent.mkdir()
    data.write_text(HEADER + "b\twith noise\t4\t20\t1\t2\t3\tMIT\there\na\t\t1\t40\t1\t2\t3\tMIT\there\n")
    assert main(["--docs", str(tmp_path)]) == 0
    page = (tmp_path / "shipped.md").read_text("utf-8")
    assert (
        page.index("| `a` | 1 | +40.0") < page.index("| `b`, with noise | 4 | +20.0")
        and "falls 10 points" in page
    )
    assert b"<svg" in (tmp_path / "images" / "shipped.svg").read_bytes()
    data.write_text(HEADER + "a\t\t1\t\t1\t2\t3\tMIT\there\n")
    assert main(["--docs", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"shipped: {data} has a row without")
    data.write_text(HEADER + "a\t\t1\t4\t1\t2\t3\tMIT\there\n")
    assert main(["--docs", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"shipped: {data} needs two rows with hours above 0.\n"
