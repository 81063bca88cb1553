"""Entropy decoder returns what the encoder was given, even if the last bits of their networks differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from glic_pyg.codec.coders import EntropyDecoder, EntropyEncoder, PriorTables
from glic_pyg.codec.rounding import LATTICE, level_coordinates, round_tracked
from glic_pyg.codec.tables import LEAST_SCALE, LOG_SCALE_STEP, SCALE_LEVELS
from glic_pyg.errors import CorruptFile, NonFiniteLatents


def test_rounding_knows_its_ties() -> None:
    coordinates = torch.tensor([1.5 - 1e-12, 1.5 + 1e-12, 1.5, 1.4, -2.5, 7.0], dtype=torch.float64)
    rounded = round_tracked(coordinates, 1e-9)
    assert rounded.values.tolist() == [1, 2, 2, 1, -2, 7]
    assert rounded.near.tolist() == [0, 1, 2, 4]


def test_levels_cover_all_scales() -> None:
    scales = torch.tensor([0.0, -3.0, LEAST_SCALE, 1e9], dtype=torch.float64)
    assert level_coordinates(scales).tolist() == [0, 0, 0, SCALE_LEVELS - 1]


def close_to_ties(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Means and scales, half of them next to a tie."""
    rng = np.random.default_rng(9)
    means, scales = rng.normal(0, 5, count), np.exp(rng.normal(0, 2, count))
    next_to_tie = rng.normal(0, 1e-13, count)
    means[::2] = ((np.floor(means * LATTICE) + 0.5) / LATTICE + next_to_tie)[::2]
    levels = np.floor(rng.uniform(0, SCALE_LEVELS - 2, count)) + 0.5
    scales[::3] = (LEAST_SCALE * np.exp(levels * LOG_SCALE_STEP) * (1 + next_to_tie))[::3]
    y = rng.normal(means, scales)
    return torch.tensor(means), torch.tensor(scales), torch.tensor(y, dtype=torch.float32)


def test_another_machines_last_bits_do_not_matter() -> None:
    means, scales, y = close_to_ties(4000)
    encoder = EntropyEncoder(PriorTables())
    written = []
    for m, s, v in zip(*(t.chunk(3) for t in (means, scales, y)), strict=True):
        written += [encoder.gaussian(m, s, v), encoder.lattice(m)]
    rng = torch.Generator().manual_seed(0)
    noise = [1 + 3e-13 * torch.randn(4000, generator=rng, dtype=torch.float64) for _ in range(2)]
    decoder = EntropyDecoder(PriorTables(), encoder.finish(), 2 * 4000)
    pairs = zip((means * noise[0]).chunk(3), (scales * noise[1]).chunk(3), strict=True)
    read = []
    for m, s in pairs:
        read += [decoder.gaussian(m, s, None), decoder.lattice(m)]
    assert torch.equal(torch.cat(read), torch.cat(written))
    assert decoder.crc == encoder.crc


def test_means_and_scales_may_be_views() -> None:
    """Backbones cut them out of one tensor, so that they are not contiguous."""
    means, scales, y = (t.reshape(2, 5, 400) for t in close_to_ties(4000))
    both = torch.cat([means, scales], dim=1)
    encoder = EntropyEncoder(PriorTables())
    y_hat = encoder.gaussian(*both.chunk(2, dim=1), y)
    decoder = EntropyDecoder(PriorTables(), encoder.finish(), 2 * 4000)
    assert torch.equal(decoder.gaussian(*both.chunk(2, dim=1), None), y_hat)
    separate = EntropyEncoder(PriorTables())
    separate.gaussian(means.contiguous(), scales.contiguous(), y)
    assert separate.finish() == encoder.finish()


def test_without_the_list_of_ties_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: it does so when the encoder does not note its ties."""
    monkeypatch.setattr(EntropyEncoder, "_note", lambda *_: None)
    with pytest.raises(Exception):  # noqa: B017  (any disagreement will do)
        test_another_machines_last_bits_do_not_matter()


def test_a_corrected_latent_is_rounded_and_checked() -> None:
    values = torch.tensor([[-1e9, 40000.3], [0.123456789, -3.3]], dtype=torch.float64)
    encoder, decoder = EntropyEncoder(PriorTables()), EntropyDecoder(PriorTables(), b"\0", 4)
    rounded = encoder.lattice(values)
    assert torch.equal(rounded.float().double(), rounded)
    assert torch.equal(rounded[1] * LATTICE, (values[1] * LATTICE).round())
    decoder.lattice(values + 1 / LATTICE)
    assert encoder.crc != 0 and decoder.crc != encoder.crc


def test_latents_are_exact_in_float32() -> None:
    means = torch.tensor([-1e9, 40000.0, 0.123456789, -3.3], dtype=torch.float64)
    y = torch.tensor([-1e9, 1e9, 5.0, -3.0])
    y_hat = EntropyEncoder(PriorTables()).gaussian(means, torch.ones(4, dtype=torch.float64), y)
    assert torch.equal(y_hat.float().double(), y_hat)
    assert (y_hat[2:] - y[2:]).abs().max() <= 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nothing_to_code_is_said(value: float) -> None:
    good, bad = torch.ones(3, dtype=torch.float64), torch.tensor([1.0, value, 1.0], dtype=torch.float64)
    for means, scales, y in ((bad, good, good), (good, bad, good), (good, good, bad)):
        with pytest.raises(NonFiniteLatents, match="not finite"):
            EntropyEncoder(PriorTables()).gaussian(means, scales, y)
    with pytest.raises(NonFiniteLatents, match="not finite"):
        EntropyEncoder(PriorTables()).lattice(bad)
    with pytest.raises(CorruptFile, match="not finite"):
        EntropyDecoder(PriorTables(), b"\0", 3).lattice(bad)
