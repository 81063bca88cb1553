"""The GLIC paper's headline numbers, and the same numbers computed from the published points."""

from __future__ import annotations

from typing import Literal, NamedTuple

from glic_pyg.evaluation.bjontegaard_delta import Delta, Method, bd_psnr, bd_rate
from glic_pyg.evaluation.published import published_curves

__all__ = ["PAPER_CLAIMS", "PaperClaim", "reproduced"]


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
    PaperClaim("kodak", "FTIC", "BD-PSNR", 0.26),
    PaperClaim("clic-pro-valid", "FTIC", "BD-PSNR", 0.37),
    PaperClaim("tecnick", "FTIC", "BD-PSNR", 0.38),
    PaperClaim("kodak", "TCM-L", "BD-PSNR", 0.39),
    PaperClaim("clic-pro-valid", "TCM-L", "BD-PSNR", 0.46),
    PaperClaim("tecnick", "TCM-L", "BD-PSNR", 0.56),
)


def reproduced(claim: PaperClaim, method: Method = "akima") -> Delta:
    """The number of a claim from the points that its two papers published.

    Small differences from the paper remain: points are rounded where they were published, and the paper does
    not say how it interpolates.
    """
    curves = published_curves(claim.data_set)
    delta = bd_rate if claim.kind == "BD-rate" else bd_psnr
    return delta(curves[claim.anchor], curves["GLIC"], method=method)
