"""The rows of the table: experiments of ``conf/experiment/ablation``, and what the paper says of them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BASELINE", "ROWS", "Row"]

BASELINE = "sobel_rms"
"""The released model's settings: every other row is measured against it."""


class Row(NamedTuple):
    """One ablation.

    Attributes:
        name: of the experiment.
        group: what is varied.
        choice: how.
        paper: BD-rate against VTM-9.1 in percent on Kodak, CLIC and Tecnick as arXiv 2603.25316 prints it;
            ``None`` where we know of no number.
    """

    name: str
    group: str
    choice: str
    paper: tuple[float, float, float] | None = None


ROWS = (
    Row(BASELINE, "score, pooling", "Sobel, RMS: the released model", (-19.29, -18.71, -21.69)),
    Row("sobel_mean", "score, pooling", "Sobel, mean", (-18.02, -17.42, -20.62)),
    Row("residual_mean", "score, pooling", "rescaling residual, mean", (-18.23, -17.82, -20.39)),
    Row("residual_rms", "score, pooling", "rescaling residual, RMS", (-17.67, -17.03, -19.68)),
    Row("entropy_rms", "score, pooling", "local entropy, RMS", (-17.05, -17.01, -18.97)),
    Row("uniform", "score, pooling", "none: uniform degree (k-NN)", (-16.97, -16.21, -18.21)),
    Row("local", "graphs", "local only"),
    Row("mesh", "graphs", "mesh only"),
    Row("union", "graphs", "union of both in every layer"),
    Row("radius", "graphs", "radius 9"),
    Row("image_budget", "budget", "per image"),
    Row("exact", "budget", "exact instead of bisection"),
    Row("degree_16", "mean degree", "16"),
    Row("degree_32", "mean degree", "32"),
    Row("degree_128", "mean degree", "128"),
    Row("degree_256", "mean degree", "256"),
    Row("encoder", "place", "GFA in the encoder only"),
    Row("decoder", "place", "GFA in the decoder only"),
    Row("learned", "beyond the paper", "learned complexity"),
    Row("context", "beyond the paper", "GFA in the entropy model too"),
)
