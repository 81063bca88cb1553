"""The published points, and the headline of the GLIC paper from them."""

import pytest

from glic_pyg.evaluation.bd_rate import bd_rate
from glic_pyg.evaluation.curves import CurveError
from glic_pyg.evaluation.published import (
    PAPER_CLAIMS,
    PUBLISHED_SETS,
    PaperClaim,
    published_curves,
    reproduced,
)

EXACT = (-19.27, 0.244, 0.372, 0.380, 0.388, 0.448, 0.548)
"""What the package bjontegaard 1.3 makes of the points with Akima's splines, in the order of the claims."""


@pytest.mark.parametrize(("claim", "exact"), list(zip(PAPER_CLAIMS, EXACT, strict=True)), ids=str)
def test_headline(claim: PaperClaim, exact: float) -> None:
    got = reproduced(claim).value
    assert got == pytest.approx(exact, abs=0.1 if claim.kind == "BD-rate" else 0.01)
    assert got == pytest.approx(claim.stated, abs=0.1 if claim.kind == "BD-rate" else 0.02)


def test_where_known_codecs_stand_on_kodak() -> None:
    """Milestones: percent of rate beyond VTM-9.1's published points."""
    curves = published_curves("kodak")
    stands = {"JPEG": 208, "JPEG2000": 98, "WebP": 79, "BPG 4:4:4": 22, "mbt2018": 11, "cheng2020-attn": 5}
    for name, percent in stands.items():
        assert bd_rate(curves["VTM-9.1"], curves[name]).value == pytest.approx(percent, abs=0.7), name


def test_every_curve_names_its_source() -> None:
    curves = [curve for name in PUBLISHED_SETS for curve in published_curves(name).values()]
    assert len(curves) == 43
    assert all(curve.source and len(curve.bpp) >= 6 for curve in curves)


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(CurveError, match="No published points for 'kodiak'; there are kodak, "):
        published_curves("kodiak")
