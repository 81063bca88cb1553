"""The identities behind the regularizer, in worlds small enough to be counted (closed forms)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import log2

import pytest
import torch

from glic_pyg.regularizer.regularizer import Regularizer, equivalent_lmbda
from tests.regularizer.exact import Table, World

# 0..7 with probabilities 1/2, 1/4, ..., 1/128, 1/128
GEOMETRIC = World([x for x in range(8) for _ in range(max(1, 64 >> x))])
UNIFORM = World(range(256))


def binary_entropy(p: float) -> float:
    return -p * log2(p) - (1 - p) * log2(1 - p)


def itself(x: int) -> int:
    return x


def pair(x: int) -> int:
    return x // 2


def merged(x: int) -> int:
    """The decoder gives the last two pairs one value."""
    return min(x // 2, 2)


def estimate(world: World, decoder: Callable[[int], int]) -> float:
    """The regularizer's entropy of one colour, with the exact distribution as q_theta."""
    regularizer = Regularizer(lambda: Table(world, decoder))
    regularizer.model.fill(world, decoder)  # type: ignore[operator]
    return regularizer.entropy(world.image(itself), world.image(decoder)).item() / 3


def test_uniform_source() -> None:
    """T1: 16 levels of 16 symbols each."""

    def u(x: int) -> int:
        return x // 16

    assert UNIFORM.entropy(itself) == 8 and UNIFORM.entropy(u) == 4 and UNIFORM.given(u, itself) == 0
    assert estimate(UNIFORM, u) == pytest.approx(4, abs=1e-9)


def test_injective_decoder() -> None:
    """T2: H(U) = H(X) - H(X | X_hat)."""
    conditional = 63 / 64 * binary_entropy(1 / 3) + 1 / 64
    assert estimate(GEOMETRIC, pair) == pytest.approx(conditional, abs=1e-9)
    assert GEOMETRIC.entropy(itself) == pytest.approx(1.984375)
    assert GEOMETRIC.entropy(pair) == pytest.approx(1.984375 - conditional)


def test_decoder_that_merges() -> None:
    """T3: what X_hat does not tell about U is paid for without effect."""
    lost = GEOMETRIC.given(pair, merged)
    assert lost == pytest.approx(binary_entropy(1 / 4) / 16)
    assert estimate(GEOMETRIC, merged) == pytest.approx(0.970277344426, abs=1e-9)
    rate = GEOMETRIC.entropy(itself) - estimate(GEOMETRIC, merged) + lost
    assert GEOMETRIC.entropy(pair) == pytest.approx(rate, abs=1e-9)


def test_side_information_that_the_reconstruction_hides() -> None:
    """T4: z = parity, which X_hat does not show: all of it comes on top."""
    hidden = GEOMETRIC.given(lambda x: x % 2, pair)
    rate = GEOMETRIC.entropy(pair, lambda x: x % 2)
    assert rate == pytest.approx(1.984375) and hidden == pytest.approx(0.919572461647)
    assert rate == pytest.approx(GEOMETRIC.entropy(itself) - estimate(GEOMETRIC, pair) + hidden, abs=1e-9)


def test_noise_in_place_of_rounding() -> None:
    """T5: Y = X/2, U = Y + uniform noise: h(U) = H(X) - H(X | U), on a grid of 256 values a unit.

    X = 0 reaches the cells 0..255 and X = 1 the cells 128..383; in differential entropy a cell counts
    -log2(256) bits.
    """
    noisy = Counter(cell for x in (0, 1) for cell in range(128 * x, 128 * x + 256))
    total = sum(noisy.values())
    differential = -sum(n / total * log2(n / total) for n in noisy.values()) - 8
    conditional = sum(n / total for n in noisy.values() if n == 2)  # one bit where both are possible
    assert differential == pytest.approx(0.5) and conditional == pytest.approx(0.5)
    assert differential == pytest.approx(1 - conditional)


def partitions(members: list[int]) -> Iterator[list[list[int]]]:
    """All ways to split a list into cells."""
    if not members:
        yield []
        return
    first, *rest = members
    for split in partitions(rest):
        yield [[first], *split]
        for i, cell in enumerate(split):
            yield [*split[:i], [first, *cell], *split[i + 1 :]]


P = [max(1, 64 >> x) / 128 for x in range(8)]
ENTROPY = 1.984375


def measured(cells: list[list[int]]) -> tuple[float, float, float]:
    """Rate H(U), squared error to the cells' centroids, H(X | X_hat)."""
    rate = distortion = conditional = 0.0
    for cell in cells:
        mass = sum(P[x] for x in cell)
        centre = sum(P[x] * x for x in cell) / mass
        rate -= mass * log2(mass)
        distortion += sum(P[x] * (x - centre) ** 2 for x in cell)
        conditional -= sum(P[x] * log2(P[x] / mass) for x in cell)
    return rate, distortion, conditional


@pytest.fixture(scope="module")
def quantisers() -> list[tuple[list[list[int]], tuple[float, float, float]]]:
    return [(cells, measured(cells)) for cells in partitions(list(range(8)))]


def test_every_quantiser_splits_the_entropy(
    quantisers: list[tuple[list[list[int]], tuple[float, float, float]]],
) -> None:
    """T6: over all partitions of the alphabet; the regularizer's estimate agrees on some of them."""
    assert len(quantisers) == 4140
    assert all(abs(rate + conditional - ENTROPY) < 1e-12 for _, (rate, _, conditional) in quantisers)
    for cells, (_, _, conditional) in quantisers[::600]:
        cell_of = {x: i for i, cell in enumerate(cells) for x in cell}
        assert estimate(GEOMETRIC, cell_of.__getitem__) == pytest.approx(conditional, abs=1e-9)


@pytest.mark.parametrize(
    ("lmbda", "alpha", "first_cell", "objective"),
    [(0.5, 0, 4, 0.776124702), (0.5, 0.25, 5, 0.330950536), (0.5, 1, 7, -1.053272061)],
)
def test_the_best_quantiser_is_that_of_another_lambda(
    quantisers: list[tuple[list[list[int]], tuple[float, float, float]]],
    lmbda: float,
    alpha: float,
    first_cell: int,
    objective: float,
) -> None:
    """T6: the same minimiser, and the same minimum up to a factor and a constant."""

    def best(lmbda: float, alpha: float) -> tuple[float, list[list[int]]]:
        return min((r + lmbda * d - alpha * c, cells) for cells, (r, d, c) in quantisers)

    value, cells = best(lmbda, alpha)
    control, same_cells = best(equivalent_lmbda(lmbda, alpha), 0)
    assert value == pytest.approx(objective, abs=1e-8)
    assert value == pytest.approx((1 + alpha) * control - alpha * ENTROPY)
    assert cells == same_cells == [list(range(first_cell)), list(range(first_cell, 8))]


def test_theta_finds_the_conditional_entropy() -> None:
    """T7: a free table, full batch: the source's loss goes down to H(X | X_hat) and not below."""
    regularizer = Regularizer(lambda: Table(GEOMETRIC, pair))
    x, x_hat = GEOMETRIC.image(itself), GEOMETRIC.image(pair)
    optimizer = torch.optim.LBFGS(
        regularizer.parameters(), 1, 100, tolerance_grad=1e-12, tolerance_change=1e-15
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = regularizer.source_loss(x, x_hat)
        loss.backward()
        return loss

    assert closure().item() / 3 == pytest.approx(1)
    optimizer.step(closure)
    assert closure().item() / 3 == pytest.approx(0.919572461647, abs=1e-9)
