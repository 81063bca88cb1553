"""One case as a row of text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["HEADER", "LEGEND", "row"]

HEADER = (
    "model",
    "size",
    "precision",
    "analysis, s",
    "synthesis, s",
    "entropy networks, s: encode",
    "decode",
    "coder, s: encode",
    "decode",
    "whole encode, s",
    "whole decode, s",
    "memory, MB: encode",
    "decode",
    "floor, GFLOP/s",
)
LEGEND = (
    "In brackets: multiples of the time of a plain float32 matrix product of the same FLOPs (the floor, "
    "measured in the same process just before; FLOPs by formula, see benchmarks/flops.py); for the coder, "
    "the share of the whole. Entropy networks run in float64 but for h_a; the coder is everything from their "
    "output to bytes and back. Memory is what the work adds, at its peak, to the process with the loaded "
    "model. Times are of the fastest run of several."
)


def row(case: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells of a case (``dataclasses.asdict`` of ``benchmarks.case.Case``), in the order of ``HEADER``."""
    flops, rate, encode, decode = case["flops"], case["rate"], case["encode"], case["decode"]

    def cell(seconds: float, operations: float) -> str:
        return f"{seconds:.3g} ({seconds * rate / operations:.2f}×)"

    def share(run: Mapping[str, float]) -> str:
        return f"{run['coder']:.3g} ({run['coder'] / run['whole']:.1%})"

    return (
        Path(case["model"]).stem,
        f"{case['width']}×{case['height']}",
        case["precision"],
        cell(encode["analysis"], flops["analysis"]),
        cell(decode["synthesis"], flops["synthesis"]),
        cell(encode["networks"], flops["encode_networks"]),
        cell(decode["networks"], flops["decode_networks"]),
        share(encode),
        share(decode),
        cell(encode["whole"], flops["analysis"] + flops["encode_networks"]),
        cell(decode["whole"], flops["synthesis"] + flops["decode_networks"]),
        f"{case['encode_memory'] / 1e6:.0f}",
        f"{case['decode_memory'] / 1e6:.0f}",
        f"{rate / 1e9:.0f}",
    )
