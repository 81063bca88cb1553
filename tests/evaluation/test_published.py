"""The published points, and the headline of the GLIC paper from them."""

from dataclasses import replace
from itertools import pairwise

import pytest

from glic_pyg.evaluation.bd_rate import bd_psnr, bd_rate, delta_or_none
from glic_pyg.evaluation.curve_plots import curves_figure, curves_page
from glic_pyg.evaluation.curves import CurveError
from glic_pyg.evaluation.published import (
    ANCHORS,
    PAPER_CLAIMS,
    PUBLISHED_SETS,
    WELL_KNOWN,
    PaperClaim,
    mean_mse_curves,
    one_set,
    published_curves,
    reproduced,
)

EXACT = (-19.27, -18.88, -21.88, 0.244, 0.372, 0.380, 0.388, 0.448, 0.548)
"""What the package bjontegaard 1.3 makes of the points with Akima's splines, in the order of the claims."""


@pytest.mark.parametrize(("claim", "exact"), list(zip(PAPER_CLAIMS, EXACT, strict=True)), ids=str)
def test_headline(claim: PaperClaim, exact: float) -> None:
    got = reproduced(claim).value
    assert got == pytest.approx(exact, abs=0.1 if claim.kind == "BD-rate" else 0.01)
    assert got == pytest.approx(claim.stated, abs=0.2 if claim.kind == "BD-rate" else 0.02)


def test_where_known_codecs_stand_on_kodak() -> None:
    """Milestones: percent of rate beyond VTM-9.1's published points."""
    curves = published_curves("kodak")
    stands = {"JPEG": 208, "JPEG2000": 98, "WebP": 79, "BPG 4:4:4": 22, "mbt2018": 11, "cheng2020-attn": 5}
    for name, percent in stands.items():
        assert bd_rate(curves["VTM-9.1"], curves[name]).value == pytest.approx(percent, abs=0.7), name


@pytest.mark.parametrize("data_set", PUBLISHED_SETS)
def test_every_curve_tells_where_it_is_from(data_set: str) -> None:
    for name, curve in published_curves(data_set).items():
        assert (curve.name, curve.data_set) == (name, data_set)
        assert curve.source and curve.licence and len(curve.bpp) >= 4
        assert all(a < b for a, b in pairwise(curve.bpp)) and all(a < b for a, b in pairwise(curve.psnr))


def test_all_of_them_are_there() -> None:
    assert {name: len(published_curves(name)) for name in PUBLISHED_SETS} == {
        "kodak": 66,
        "clic2020-professional": 11,
        "clic2020-mobile": 11,
        "clic-pro-valid": 32,
        "tecnick": 34,
        "clic2021-test": 1,
        "jpegai-test": 4,
    }


def test_what_may_not_be_shipped_is_not() -> None:
    """Without a licence or non-commercial: what the paper's claims need, and an anchor."""
    curves = [curve for name in PUBLISHED_SETS for curve in published_curves(name).values()]
    closed = {c.name for c in curves if c.licence.startswith("none") or "non-commercial" in c.licence}
    assert closed == {"FTIC", "VTM-18.0"}


@pytest.mark.parametrize(
    ("data_set", "anchor", "codec", "stated"),
    [
        ("clic-pro-valid", "VTM-9.1", "LALIC", -15.41),
        ("tecnick", "VTM-9.1", "LALIC", -17.63),
        ("clic-pro-valid", "VTM-17.0", "MLIC", -8.79),
        ("clic-pro-valid", "VTM-17.0", "MLIC++", -13.08),
        ("clic-pro-valid", "VTM-17.0", "STF", 0.42),
        ("tecnick", "VTM-18.0", "HPCM-Large", -22.20),
    ],
)
def test_anchors_give_what_others_state(data_set: str, anchor: str, codec: str, stated: float) -> None:
    curves = published_curves(data_set)
    assert bd_rate(curves[anchor], curves[codec]).value == pytest.approx(stated, abs=0.06)


def test_every_anchor_is_a_curve_of_its_set() -> None:
    assert all(set(names) <= set(published_curves(data_set)) for data_set, names in ANCHORS.items())
    everywhere = {name for data_set in PUBLISHED_SETS for name in published_curves(data_set)}
    assert set(WELL_KNOWN) <= everywhere


def test_two_sets_of_clic_are_never_compared() -> None:
    ours = published_curves("clic-pro-valid")["VTM-9.1"]
    theirs = published_curves("clic2020-professional")["VTM-9.1"]
    for compare in (bd_rate, bd_psnr):
        with pytest.raises(
            CurveError, match=r"VTM-9.1 is a curve of clic-pro-valid and VTM-9.1 one of clic2020-prof"
        ):
            compare(ours, theirs)
    with pytest.raises(CurveError, match="different images"):
        delta_or_none(bd_rate, ours, theirs)
    for draw in (lambda curves: curves_page(curves, ""), lambda curves: curves_figure(curves, "psnr", "")):
        with pytest.raises(CurveError, match="different images"):
            draw([ours, theirs])
    nameless = replace(theirs, data_set=None)
    assert bd_rate(ours, nameless).value == pytest.approx(-42, abs=1)  # as the sentence of one_set says


def test_one_data_set_at_a_time() -> None:
    assert one_set([]) is None and one_set(["kodak"]) == "kodak"
    with pytest.raises(CurveError, match="42 % fewer bits"):
        one_set(["clic-pro-valid", "clic2020-professional"])


def test_a_mean_of_squared_errors_reads_lower() -> None:
    curves = mean_mse_curves("kodak")
    assert set(curves) == {"Cool-chic 2.0", "Cool-chic 3.1", "Cool-chic 4.2", "Cool-chic 5.0"}
    anchor = published_curves("kodak")["VTM-9.1"]
    assert bd_rate(anchor, curves["Cool-chic 5.0"]).value == pytest.approx(0.7, abs=0.1)
    for name, curve in curves.items():
        assert all(
            low < high for low, high in zip(curve.psnr, published_curves("kodak")[name].psnr, strict=True)
        )


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(CurveError, match="No published points for 'kodiak'; there are kodak, "):
        published_curves("kodiak")
