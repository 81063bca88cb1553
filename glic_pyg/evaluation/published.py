"""Published rate-distortion points (``published_points.json``), anchors, and the paper's headline numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from glic_pyg.evaluation.bd_rate import Delta, Method, bd_psnr, bd_rate
from glic_pyg.evaluation.curves import Curve, CurveError

__all__ = [
    "ANCHORS",
    "PAPER_CLAIMS",
    "PUBLISHED_SETS",
    "WELL_KNOWN",
    "PaperClaim",
    "PublishedCurve",
    "mean_mse_curves",
    "no_curve",
    "one_set",
    "published_curves",
    "reproduced",
]


@dataclass(frozen=True)
class PublishedCurve(Curve):
    """Points as others published them.

    Attributes:
        licence: of the place where they were read, as stated there.
        anchor: what their authors compare them with; ``None`` if nothing is stated.
        note: how they were measured, as far as it is known.
    """

    licence: str = ""
    anchor: str | None = None
    note: str = ""


Curves = Mapping[str, PublishedCurve]

ANCHORS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "kodak": ("VTM-9.1", "VTM-18.0"),
    "clic-pro-valid": ("VTM-9.1", "VTM-17.0"),
    "tecnick": ("VTM-9.1", "VTM-18.0"),
    "clic2020-professional": ("VTM-9.1",),
    "clic2020-mobile": ("VTM-9.1",),
})  # fmt: skip
"""By data set what codecs are compared with: the anchor of the GLIC paper, then one that others use.

The two are different encoders run by different people, so a codec has another BD-rate against each of them;
only numbers against the same anchor can be compared.
"""

WELL_KNOWN = (
    "GLIC", "HPCM-Large", "DCAE", "LALIC", "MLIC++", "FTIC", "TCM-L", "ELIC (official, 10 points)",
    "Cool-chic 5.0", "VTM-9.1", "VTM-18.0", "VTM-17.0", "cheng2020-attn", "mbt2018", "bmshj2018-hyperprior",
    "AV1", "BPG 4:4:4", "JPEG2000", "WebP", "JPEG",
)  # fmt: skip
"""Codecs that figures show where there is no room for all."""


def published_curves(data_set: str) -> Curves:
    """The published curves of a data set, by codec.

    Args:
        data_set: one of :data:`PUBLISHED_SETS`.

    Raises:
        CurveError: there is none for it.
    """
    if data_set not in PUBLISHED_SETS:
        names = ", ".join(
            f"{name} (GLIC's CLIC)" if name == "clic-pro-valid" else name for name in PUBLISHED_SETS
        )
        raise CurveError(f"No published points for '{data_set}'; there are {names}.")
    return _curves(data_set)


def mean_mse_curves(data_set: str) -> Mapping[str, Curve]:
    """The curves whose authors average squared errors over the images and not PSNRs, with that PSNR.

    Every other curve, of the anchors too, is a mean of PSNRs; that of a mean of squared errors is lower.
    """
    return {
        name: Curve(name, tuple(e["bpp"]), tuple(e["psnr_of_mean_mse"]), None, e["source"], data_set)
        for name, e in _document()[data_set].items()
        if "psnr_of_mean_mse" in e
    }


def one_set(data_sets: Sequence[str]) -> str | None:
    """The only one of these data sets, ``None`` if there is none.

    Raises:
        CurveError: there are several, whose curves cannot be compared.
    """
    if {"clic2020-professional", "clic-pro-valid"} <= set(data_sets):
        raise CurveError(
            "clic2020-professional (CompressAI's) and clic-pro-valid (the GLIC paper's) are different images "
            "despite their names: VTM-9.1 needs 42 % fewer bits at equal PSNR on the former, so no number "
            "across the two means anything; name one of them."
        )
    if len(data_sets) > 1:
        raise CurveError(f"{' and '.join(data_sets)} are different images; name one of them.")
    return data_sets[0] if data_sets else None


def no_curve(name: str, data_set: str | None, known: Sequence[str]) -> CurveError:
    """The error that a data set has no curve of a name, with where there is one.

    Args:
        name: that was asked for.
        data_set: of the other curves, if any.
        known: names that there are.
    """
    elsewhere = [other for other in PUBLISHED_SETS if other != data_set and name in published_curves(other)]
    where = f" of {data_set}" if data_set else ""
    hint = (
        f" '{name}' is one of {', '.join(elsewhere)}: different images, never compared." if elsewhere else ""
    )
    return CurveError(f"There is no curve '{name}'{where}; there are {', '.join(known)}.{hint}")


@lru_cache(maxsize=1)
def _document() -> dict[str, dict[str, dict[str, Any]]]:
    text = (files("glic_pyg") / "evaluation" / "published_points.json").read_text(encoding="utf-8")
    document: dict[str, dict[str, dict[str, Any]]] = json.loads(text)
    return document


@lru_cache
def _curves(data_set: str) -> Curves:
    return MappingProxyType({
        name: PublishedCurve(
            name,
            tuple(e["bpp"]),
            tuple(e["psnr"]),
            tuple(e["ms_ssim"]) if "ms_ssim" in e else None,
            e["source"],
            data_set,
            e["licence"],
            e.get("anchor"),
            e.get("note", ""),
        )
        for name, e in _document()[data_set].items()
    })  # fmt: skip


PUBLISHED_SETS = tuple(_document())
"""Kodak, four sets of CLIC, Tecnick, the test set of JPEG AI; the GLIC paper's CLIC is ``clic-pro-valid``."""


class PaperClaim(NamedTuple):
    """One number of arXiv 2603.25316: GLIC against an anchor.

    Attributes:
        data_set: name in the published points.
        anchor: name of the other codec.
        kind: ``"BD-rate"`` in percent, or ``"BD-PSNR"`` in dB.
        stated: the number as printed.
    """

    data_set: str
    anchor: str
    kind: Literal["BD-rate", "BD-PSNR"]
    stated: float


PAPER_CLAIMS = (
    PaperClaim("kodak", "VTM-9.1", "BD-rate", -19.29),
    PaperClaim("clic-pro-valid", "VTM-9.1", "BD-rate", -18.71),
    PaperClaim("tecnick", "VTM-9.1", "BD-rate", -21.69),
    PaperClaim("kodak", "FTIC", "BD-PSNR", 0.26),
    PaperClaim("clic-pro-valid", "FTIC", "BD-PSNR", 0.37),
    PaperClaim("tecnick", "FTIC", "BD-PSNR", 0.38),
    PaperClaim("kodak", "TCM-L", "BD-PSNR", 0.39),
    PaperClaim("clic-pro-valid", "TCM-L", "BD-PSNR", 0.46),
    PaperClaim("tecnick", "TCM-L", "BD-PSNR", 0.56),
)


def reproduced(claim: PaperClaim, method: Method = "akima") -> Delta:
    """The number of a claim, computed from the points that the two papers published.

    Small differences from the paper remain: published points are rounded, and the paper does not say how it
    interpolates. VTM-9.1 on CLIC and Tecnick is LALIC's run, which the paper does not name but seems to use.
    """
    curves = published_curves(claim.data_set)
    delta = bd_rate if claim.kind == "BD-rate" else bd_psnr
    return delta(curves[claim.anchor], curves["GLIC"], method=method)
