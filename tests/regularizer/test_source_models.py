"""What every family of q_theta promises: a proper distribution, in any precision, of any image that fits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from glic_pyg.regularizer.layers import gaussian_bits
from glic_pyg.regularizer.source_model import LEAST_SCALE, UNIT, SourceModel
from tests.regularizer.conftest import images


@torch.no_grad()
def dependencies(model: SourceModel, x: Tensor, x_hat: Tensor) -> Tensor:
    """(samples, samples) bool: entry (i, j) tells whether sample i moves the distribution of sample j."""
    samples = x.numel()
    moved = x.expand(samples, -1, -1, -1).clone().flatten(1)
    moved.diagonal().copy_((moved.diagonal() + 0.5) % 1)
    everything = torch.cat([x, moved.view(-1, *x.shape[1:])])
    found = model.distribution(everything, x_hat.expand_as(everything))
    differences = sum((part - part[:1]).abs()[1:].flatten(1) for part in found)
    return differences > 1e-9  # type: ignore[operator,return-value]


def has_an_order(graph: Tensor) -> bool:
    """Whether the samples can be put into an order in which each depends on earlier ones alone."""
    paths = graph.double()
    for _ in range(len(graph).bit_length()):
        paths = (paths @ paths).clamp(
            max=1
        )  # paths of twice as many steps: none is left if there is no cycle
    return not paths.any()


def test_context_has_an_order(awake: SourceModel, x: Tensor, x_hat: Tensor, family: str) -> None:
    """So the product of all factors is a distribution: the last factor sums to 1, then the last but one..."""
    graph = dependencies(awake, x, x_hat)
    assert has_an_order(graph)
    assert graph.any() == (family != "hyperprior")


def test_the_test_of_an_order() -> None:
    chain = torch.ones(9, 9).triu(1).bool()
    assert has_an_order(chain)
    chain[7, 2] = True
    assert not has_an_order(chain)


def test_every_factor_sums_to_one(awake: SourceModel, x: Tensor, x_hat: Tensor) -> None:
    """Over the values of one sample, everything else being as it is, itself seen by its own networks."""
    for place in (0, 70, 191):
        every = x.expand(256, -1, -1, -1).clone()
        every.view(256, -1)[:, place] = torch.arange(256) / 255
        bits = awake(every, x_hat.expand_as(every)).flatten(1)[:, place]
        assert (2**-bits).sum().item() == pytest.approx(1, abs=3e-7)


def test_it_starts_at_x_hat(fresh: SourceModel, x: Tensor, x_hat: Tensor) -> None:
    model = fresh.double()
    means, scales = model.distribution(x, x_hat)
    torch.testing.assert_close(means, 255 * x_hat)
    torch.testing.assert_close(scales, torch.full_like(scales, UNIT + LEAST_SCALE))
    torch.testing.assert_close(model(x, x_hat), gaussian_bits((255 * x).round(), means, scales))


def test_bits_follow_from_the_distribution(awake: SourceModel, x: Tensor, x_hat: Tensor) -> None:
    means, scales = awake.distribution(x, x_hat)
    assert (scales > LEAST_SCALE).all() and means.std() > 1
    assert torch.equal(awake(x, x_hat), gaussian_bits((255 * x).round(), means, scales))


def test_it_draws_no_random_numbers(awake: SourceModel, x: Tensor, x_hat: Tensor) -> None:
    before = torch.get_rng_state()
    first = awake.train()(x, x_hat)
    first.sum().backward()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(awake.eval()(x, x_hat), first)


def test_every_parameter_gets_a_gradient(awake: SourceModel, x: Tensor, x_hat: Tensor) -> None:
    awake(x, x_hat.requires_grad_()).sum().backward()
    assert x_hat.grad is not None and x_hat.grad.abs().min() > 0
    for name, parameter in awake.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_gradient_at_x_hat(awake: SourceModel, x: Tensor) -> None:
    """Against a finite difference, through means, scales and context together; no sample is at the floor."""
    x_hat = x + 0.01 * torch.randn_like(x)
    step = 1e-7 * torch.randn_like(x)
    bits = awake(x, x_hat.requires_grad_())
    assert bits.max() < 29
    (gradient,) = torch.autograd.grad(bits.sum(), x_hat)
    with torch.no_grad():
        change = (awake(x, x_hat + step) - awake(x, x_hat - step)).sum() / 2
    assert (gradient * step).sum().item() == pytest.approx(change.item(), rel=1e-4)


def test_a_batch_is_its_images(awake: SourceModel) -> None:
    x, x_hat = images(3, 8, 12), torch.rand(3, 3, 8, 12, dtype=torch.float64)
    together = awake(x, x_hat)
    assert together.shape == x.shape
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], awake(x[i : i + 1], x_hat[i : i + 1]))


def test_autocast_keeps_the_likelihood_in_float32(awake: SourceModel, x: Tensor, x_hat: Tensor) -> None:
    model, x, x_hat = awake.float(), x.float(), x_hat.float()
    with torch.no_grad():
        exact = model(x, x_hat)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model(x, x_hat)
    assert mixed.dtype == torch.float32
    assert mixed.mean().item() == pytest.approx(exact.mean().item(), rel=0.03)
    assert not torch.equal(mixed, exact)


def test_x_hat_in_bfloat16(fresh: SourceModel, x: Tensor) -> None:
    x_hat = (x + 0.05).bfloat16().requires_grad_()
    bits = fresh(x.float(), x_hat)
    assert bits.dtype == torch.float32 and torch.isfinite(bits).all()
    bits.sum().backward()
    assert x_hat.grad is not None and x_hat.grad.dtype == torch.bfloat16 and x_hat.grad.any()


def test_sides_that_do_not_fit(fresh: SourceModel) -> None:
    x = torch.zeros(1, 3, 8, 8 + fresh.multiple // 2)
    with pytest.raises(ValueError, match=f"multiples of {fresh.multiple} pixels"):
        fresh(x, x)


def test_shapes_that_differ(fresh: SourceModel) -> None:
    with pytest.raises(ValueError, match="same shape"):
        fresh(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 4))


def test_theta_learns(fresh: SourceModel) -> None:
    """From a reconstruction with a constant bias and little noise: both are found."""
    optimizer = torch.optim.Adam(fresh.parameters(), 0.01)
    x = torch.randint(60, 200, (4, 3, 8, 8)) / 255
    x_hat = x + (10 + 2 * torch.randn_like(x)) / 255
    start = fresh(x, x_hat).mean().item()
    for _ in range(50):
        optimizer.zero_grad()
        loss = fresh(x, x_hat).mean()
        loss.backward()
        optimizer.step()
    best = 0.5 * math.log2(2 * math.pi * math.e * (4 + 1 / 12))
    assert start > best + 2
    assert loss.item() < best + 0.2
