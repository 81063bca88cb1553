import numpy as np
import pytest

from glic_pyg.codec.range_coder import SYMBOL_LIMIT, SymbolDecoder, SymbolEncoder
from glic_pyg.codec.tables import LEAST_SCALE, LOG_SCALE_STEP, SCALE_LEVELS, gaussian_parts, gaussian_tables
from glic_pyg.errors import CorruptFile


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    which = rng.integers(0, SCALE_LEVELS, count).astype(np.uint8)
    scales = LEAST_SCALE * np.exp(which * LOG_SCALE_STEP)
    return np.rint(rng.normal(0, scales)).astype(np.int32), which


def code(symbols: np.ndarray, which: np.ndarray) -> bytes:
    encoder = SymbolEncoder()
    encoder.encode(symbols, which, gaussian_tables())
    return encoder.finish()


@pytest.mark.parametrize("count", [0, 1, 7, 5000])
def test_there_and_back(count: int) -> None:
    symbols, which = draw(count, count)
    assert (SymbolDecoder(code(symbols, which)).decode(which, gaussian_tables()) == symbols).all()


def test_symbols_far_outside_their_table_are_exact() -> None:
    symbols = np.array([0, SYMBOL_LIMIT, -SYMBOL_LIMIT, 1, -3, 4, 0, 30000], np.int32)
    which = np.array([0, 0, 5, 0, 0, 0, 127, 127], np.uint8)
    assert (SymbolDecoder(code(symbols, which)).decode(which, gaussian_tables()) == symbols).all()


def test_several_calls_share_one_stream() -> None:
    encoder, parts = SymbolEncoder(), [draw(300, seed) for seed in range(4)]
    for symbols, which in parts:
        encoder.encode(symbols, which, gaussian_tables())
    decoder = SymbolDecoder(encoder.finish())
    for symbols, which in parts:
        assert (decoder.decode(which, gaussian_tables()) == symbols).all()


def test_size_is_the_information() -> None:
    symbols, which = draw(20000, 11)
    parts = [gaussian_parts(level) for level in range(SCALE_LEVELS)]
    entries = [parts[w][s + (len(parts[w]) - 2) // 2] for s, w in zip(symbols, which, strict=True)]
    bits = (24 - np.log2(np.array(entries, float))).sum()
    assert bits <= 8 * len(code(symbols, which)) <= bits * 1.0005 + 64


def test_golden_bytes() -> None:
    symbols = np.array([0, 1, -1, 5, -40, 200, 0, 0, 9, -32767], np.int32)
    which = np.array([0, 0, 3, 30, 60, 100, 127, 64, 10, 1], np.uint8)
    assert code(symbols, which).hex() == "01cffdff322f01310f12beb7dc1e2243016fabc7bfcaf243"


def test_nonsense_decodes_or_is_refused() -> None:
    _, which = draw(500, 1)
    rng = np.random.default_rng(5)
    for size in (0, 1, 3, 40, 400):
        try:
            symbols = SymbolDecoder(rng.bytes(size)).decode(which, gaussian_tables())
        except CorruptFile:
            continue
        assert np.abs(symbols).max() <= SYMBOL_LIMIT + 1
