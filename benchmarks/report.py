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
    "floor, GFLOP/s: encode",
    "decode",
)
LEGEND = (
    "In brackets: multiples of the time of a plain float32 matrix product of the same FLOPs (the floor, "
    "measured in the same process just before and after each run; FLOPs by formula, see "
    "benchmarks/flops.py); for the coder, the share of the whole. Entropy networks run in float64 but for "
    "h_a; the coder is everything from their output to bytes and back. Memory is what the work adds, at "
    "its peak, to the process with the loaded model. Times are of the median run of several."
)


def row(case: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells of a case (``dataclasses.asdict`` of ``benchmarks.case.Case``), in the order of ``HEADER``."""
    flops, encode, decode = case["flops"], case["encode"], case["decode"]

    def cell(run: Mapping[str, Any], part: str, *operations: str) -> str:
        seconds = run["seconds"][part]
        return f"{seconds:.3g} ({seconds * run['rate'] / sum(flops[name] for name in operations):.2f}×)"

    def share(seconds: Mapping[str, float]) -> str:
        return f"{seconds['coder']:.3g} ({seconds['coder'] / seconds['whole']:.1%})"

    return (
        Path(case["model"]).stem,
        f"{case['width']}×{case['height']}",
        case["precision"],
        cell(encode, "analysis", "analysis"),
        cell(decode, "synthesis", "synthesis"),
        cell(encode, "networks", "encode_networks"),
        cell(decode, "networks", "decode_networks"),
        share(encode["seconds"]),
        share(decode["seconds"]),
        cell(encode, "whole", "analysis", "encode_networks"),
        cell(decode, "whole", "synthesis", "decode_networks"),
        f"{case['encode_memory'] / 1e6:.0f}",
        f"{case['decode_memory'] / 1e6:.0f}",
        f"{encode['rate'] / 1e9:.0f}",
        f"{decode['rate'] / 1e9:.0f}",
    )
