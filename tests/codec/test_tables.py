import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck
from torch.distributions import Normal

from glic_pyg.codec.tables import (
    ESCAPE_PARTS,
    GAUSSIAN_FINGERPRINT,
    LEAST_SCALE,
    LOG_SCALE_STEP,
    PRECISION,
    SCALE_LEVELS,
    factorized_parts,
    factorized_probabilities,
    gaussian_fingerprint,
    gaussian_parts,
    gaussian_probabilities,
    tie_distance,
)


def scale_of(level: int) -> float:
    return LEAST_SCALE * np.exp(level * LOG_SCALE_STEP)


def test_gaussian_tables_are_the_ones_of_the_format() -> None:
    assert gaussian_fingerprint() == GAUSSIAN_FINGERPRINT


def test_every_table_is_a_distribution() -> None:
    for level in range(SCALE_LEVELS):
        parts = gaussian_parts(level)
        assert parts.sum() == 1 << PRECISION
        assert parts.min() >= 1 and parts[-1] == ESCAPE_PARTS


def test_gaussian_tables_are_gaussian() -> None:
    for level in (0, 40, 127):
        radius = (len(gaussian_parts(level)) - 2) // 2
        k = torch.arange(-radius, radius + 1, dtype=torch.float64)
        normal = Normal(torch.zeros((), dtype=torch.float64), scale_of(level))
        expected = (normal.cdf(k + 0.5) - normal.cdf(k - 0.5)).numpy()
        measured = gaussian_parts(level)[:-1] / (1 << PRECISION)
        assert np.abs(measured - expected).max() < 2e-5


def test_no_rounding_depends_on_the_last_bits_of_erfc() -> None:
    nearest = min(tie_distance(gaussian_probabilities(scale_of(k)), 24) for k in range(SCALE_LEVELS))
    assert nearest > 1e-13  # erfc differs between machines by some 1e-16


def test_factorized_tables_follow_the_prior() -> None:
    torch.manual_seed(1)
    prior = EntropyBottleneck(5)
    prior.quantiles.data[:, 0, 1] = torch.tensor([0.0, 0.3, -2.0, 5.5, 1e-3])
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    for channel, parts in enumerate(factorized_parts(prior)):
        assert parts.sum() == 1 << PRECISION and parts.min() >= 1
        radius = (len(parts) - 2) // 2
        points = prior.quantiles[:, :, 1:2] + torch.arange(-radius, radius + 1)
        expected = prior._likelihood(points)[0][channel, 0].detach().numpy()
        assert np.abs(parts[:-1] / (1 << PRECISION) - expected).max() < 4e-5
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())


def test_narrow_and_wide_priors_get_the_radius_they_need() -> None:
    narrow, wide = EntropyBottleneck(2, init_scale=0.5), EntropyBottleneck(2, init_scale=200.0)
    assert max(map(len, factorized_probabilities(narrow))) < 40
    assert min(map(len, factorized_probabilities(wide))) > 1000
