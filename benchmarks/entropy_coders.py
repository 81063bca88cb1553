"""constriction's range coder against CompressAI's rANS: bytes and milliseconds for the same symbols.

python -m benchmarks.entropy_coders
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from glic_pyg.codec.coders import gaussian_bits
from glic_pyg.codec.range_coder import SymbolDecoder, SymbolEncoder
from glic_pyg.codec.rounding import level_coordinates, round_tracked
from glic_pyg.codec.tables import gaussian_tables
from glic_pyg.evaluation.tables import markdown_table

COUNT, CALLS, REPEATS = 500_000, 10, 5
Timed = tuple[int, float, float]


def draw(seed: int) -> tuple[NDArray[np.int32], torch.Tensor]:
    """Symbols and scales of a mixture like the latents of a photograph: mostly narrow, a few wide."""
    rng = np.random.default_rng(seed)
    scales = np.maximum(np.exp(rng.normal(-1.2, 1.2, COUNT)), 0.05)
    return np.rint(rng.normal(0.0, scales)).astype(np.int32), torch.from_numpy(scales)


def best(work: Callable[[], object]) -> float:
    """Milliseconds of the fastest of some repeats."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def ours(symbols: NDArray[np.int32], scales: torch.Tensor) -> Timed:
    """glic_pyg's encoder and decoder, in as many calls as the entropy model makes."""
    levels = round_tracked(level_coordinates(scales), 0.0).values.numpy().astype(np.uint8)
    parts = list(zip(np.array_split(symbols, CALLS), np.array_split(levels, CALLS), strict=True))

    def encode() -> bytes:
        encoder = SymbolEncoder()
        for values, which in parts:
            encoder.encode(values, which, gaussian_tables())
        return encoder.finish()

    def decode() -> NDArray[np.int32]:
        decoder = SymbolDecoder(data)
        return np.concatenate([decoder.decode(which, gaussian_tables()) for _, which in parts])

    data = encode()
    assert (decode() == symbols).all()
    return len(data), best(encode), best(decode)


def compressai(symbols: NDArray[np.int32], scales: torch.Tensor) -> Timed:
    """CompressAI's GaussianConditional with its own table of 64 scales."""
    from compressai.entropy_models import GaussianConditional
    from compressai.models.google import get_scale_table

    model = GaussianConditional(None)
    model.update_scale_table(get_scale_table())
    indexes = model.build_indexes(scales.float())[None]
    values = torch.from_numpy(symbols)[None].float()
    strings = model.compress(values, indexes)
    assert torch.equal(model.decompress(strings, indexes), values)
    size = sum(map(len, strings))
    return (
        size,
        best(lambda: model.compress(values, indexes)),
        best(lambda: model.decompress(strings, indexes)),
    )


def main() -> None:
    """Print a Markdown table."""
    torch.set_num_threads(1)
    symbols, scales = draw(0)
    estimate = float(gaussian_bits(torch.from_numpy(symbols).double(), scales)) / 8
    header = ("coder", "bytes", f"of the estimate ({estimate:,.0f})", "encode, ms", "decode, ms")
    rows = []
    for name, coder in (("constriction, sorted runs", ours), ("CompressAI rANS", compressai)):
        size, encode, decode = coder(symbols, scales)
        rows.append((name, f"{size:,}", f"{size / estimate:.4f}", f"{encode:.0f}", f"{decode:.0f}"))
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
