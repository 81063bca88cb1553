"""q_theta aligned with the attention codec."""

from __future__ import annotations

from glic_pyg.source.autoregressive import AutoregressiveSource


class AttentionSource(AutoregressiveSource):
    """Design (b) of arXiv 2411.16727, Fig. 3, with the longer h_s of cheng2020.

    The attention of that codec is in its transforms; its entropy model is the autoregressive one behind a
    hyper-synthesis of five layers, and the paper draws one design for both. So this is
    :class:`AutoregressiveSource` with those five.
    """

    trunk_widths = (1, 1, 3 / 2, 3 / 2, 2)
