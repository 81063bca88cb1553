"""The term of the codec's step, the loss of the source's step, and that neither disturbs anything else."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from glic_pyg.regularizer.layers import gaussian_bits
from glic_pyg.regularizer.regularizer import Regularizer, critical_alpha, frozen
from glic_pyg.regularizer.source_model import SourceModel, levels_of
from tests.regularizer.conftest import TINY


class FixedScale(SourceModel):
    """A Gaussian around x_hat whose scale theta is the same everywhere."""

    def __init__(self, scale: float) -> None:
        super().__init__(1)
        self.scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64))

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return gaussian_bits(levels_of(x), 255 * x_hat, self.scale.expand_as(x_hat).to(x_hat.dtype))


class Untouchable(SourceModel):
    """Must not run."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        raise AssertionError("q_theta ran")


def test_term_and_its_gradient(family: str, x: Tensor, x_hat: Tensor) -> None:
    """As of -alpha * entropy, taken plainly."""
    regularizer = Regularizer(TINY[family], alpha=0.25).double()
    x_hat.requires_grad_()
    plain = -0.25 * regularizer.entropy(x, x_hat)
    (expected,) = torch.autograd.grad(plain, x_hat)
    term = regularizer.codec_term(x, x_hat, step=0)
    (gradient,) = torch.autograd.grad(3 * term.loss, x_hat)
    torch.testing.assert_close(term.loss, plain)
    torch.testing.assert_close(gradient, 3 * expected)
    assert term.alpha == 0.25
    between = nn.functional.cosine_similarity(expected.flatten(), (x_hat - x).flatten(), dim=0)
    torch.testing.assert_close(term.cosine, between)


def test_unit_is_bits_per_pixel(x: Tensor, x_hat: Tensor) -> None:
    regularizer = Regularizer(lambda: FixedScale(8.0))
    bits = regularizer.model(x, x_hat)
    assert regularizer.entropy(x, x_hat).item() == pytest.approx(3 * bits.mean().item())


def test_codec_step_leaves_theta_alone(family: str, x: Tensor, x_hat: Tensor) -> None:
    regularizer = Regularizer(TINY[family], alpha=0.1).double()
    regularizer.codec_term(x, x_hat.requires_grad_(), step=0).loss.backward()
    assert x_hat.grad is not None and x_hat.grad.any()
    assert all(p.grad is None and p.requires_grad for p in regularizer.parameters())


def test_source_step_leaves_the_codec_alone(family: str, x: Tensor, x_hat: Tensor) -> None:
    regularizer = Regularizer(TINY[family], alpha=0.1).double()
    regularizer.source_loss(x, x_hat.requires_grad_()).backward()
    assert x_hat.grad is None
    assert any(p.grad is not None and p.grad.any() for p in regularizer.parameters())


def test_without_alpha_nothing_runs() -> None:
    x = torch.rand(1, 3, 4, 4)
    x_hat = x.clone().requires_grad_()
    for regularizer, step in (
        (Regularizer(Untouchable, alpha=0), 9),
        (Regularizer(Untouchable, start=10), 9),
    ):
        loss = (x_hat - 0.3).square().sum()
        term = regularizer.codec_term(x, x_hat, step)
        assert torch.equal(loss + term.loss, loss) and term.alpha == 0 and not term.loss.requires_grad
    with pytest.raises(AssertionError, match="ran"):
        regularizer.codec_term(x, x_hat, step=10)


def test_alpha_rises() -> None:
    regularizer = Regularizer(Untouchable, alpha=0.5, start=10, ramp=4)
    alphas = [regularizer.alpha_at(step) for step in range(9, 17)]
    assert alphas == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5])
    assert Regularizer(Untouchable, alpha=0.5).alpha_at(0) == 0.5


def test_building_it_draws_nothing(family: str) -> None:
    before = torch.get_rng_state()
    first = Regularizer(TINY[family], seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    second, third = Regularizer(TINY[family], seed=3), Regularizer(TINY[family], seed=4)
    states = [dict(r.named_parameters()) for r in (first, second, third)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_outliers_are_of_no_use_to_the_codec(x: Tensor) -> None:
    """Bits beyond the floor pay theta to learn, but give the codec no gradient."""
    x_hat = x.clone()
    x_hat[..., 0, 0] = 1 - x[..., 0, 0].round() + 3 * (1 - 2 * x[..., 0, 0].round())
    regularizer = Regularizer(lambda: FixedScale(8.0), alpha=1)
    regularizer.codec_term(x, x_hat.requires_grad_(), 0).loss.backward()
    assert x_hat.grad is not None and torch.isfinite(x_hat.grad).all()
    assert not x_hat.grad[..., 0, 0].any()
    bits = regularizer.model(x, x_hat.detach())[..., 0, 0]
    assert bits.max().item() == pytest.approx(-math.log2(1e-9))
    (wider,) = torch.autograd.grad(bits.sum(), regularizer.parameters())
    assert torch.isfinite(wider) and wider < 0


def test_a_narrow_type_of_x_hat(x: Tensor) -> None:
    regularizer = Regularizer(TINY["elic"], alpha=0.1)
    x_hat = (x + 0.05).bfloat16().requires_grad_()
    term = regularizer.codec_term(x.float(), x_hat, 0)
    term.loss.backward()
    assert term.loss.dtype == torch.float32
    assert x_hat.grad is not None and x_hat.grad.dtype == torch.bfloat16 and x_hat.grad.any()


def test_theta_learns_twice_inside_one_autocast_region(x: Tensor) -> None:
    """The second step must see the weights that the first has made."""
    regularizer = Regularizer(TINY["hyperprior"])
    optimizer = torch.optim.SGD(regularizer.parameters(), 0.05)
    x, losses = x.float(), []
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(3):
            optimizer.zero_grad()
            losses.append(regularizer.source_loss(x, x + 0.1))
            losses[-1].backward()
            optimizer.step()
    assert losses[0] > losses[1] > losses[2]


def test_gradient_vanishes_at_the_critical_alpha() -> None:
    """T9: with a wide Gaussian around x_hat the two pulls on x_hat cancel, and above it the other wins."""
    lmbda, sigma = 0.013, 50.0
    regularizer = Regularizer(lambda: FixedScale(sigma))
    x = torch.full((1, 3, 4, 4), 128 / 255, dtype=torch.float64)
    x_hat = (x + 5 / 255).requires_grad_()
    alpha = critical_alpha(lmbda, (sigma / 255) ** 2)

    def pull(factor: float) -> float:
        """The whole gradient at x_hat as a multiple of the distortion's."""
        distortion = lmbda * 255**2 * (x_hat - x).square().mean()
        loss = distortion - factor * alpha * regularizer.entropy(x, x_hat)
        (alone,) = torch.autograd.grad(distortion, x_hat, retain_graph=True)
        (whole,) = torch.autograd.grad(loss, x_hat)
        return (whole / alone).mean().item()

    assert pull(1.0) == pytest.approx(1 / (12 * sigma**2), rel=0.02)  # what is left is of the bin's width
    assert pull(0.5) == pytest.approx(0.5, rel=1e-3) and pull(1.5) == pytest.approx(-0.5, rel=1e-3)


def test_frozen_restores_what_was() -> None:
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    with pytest.raises(KeyError), frozen(module):
        assert not module.weight.requires_grad
        raise KeyError
    assert module.weight.requires_grad and not module.bias.requires_grad


@pytest.mark.parametrize("name", ["alpha", "start", "ramp"])
def test_negative_settings(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
        Regularizer(Untouchable, **{name: -1})  # type: ignore[arg-type]
