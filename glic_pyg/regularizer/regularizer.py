"""The information-theoretic regularizer: H(X|X_hat) estimated by a learned q_theta (arXiv 2411.16727).

:class:`Regularizer` holds q_theta and alpha. The functions below it compute what is known about the
conditional source entropy without training anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, overload

import torch
from torch import Tensor, nn

from glic_pyg.regularizer.source_model import SourceModel


class RegularizerTerm(NamedTuple):
    """The regularizer's part in a codec step."""

    loss: Tensor
    """-alpha * H_theta(X | X_hat) in bits per pixel, 0-dimensional; add it to the codec's loss."""
    alpha: float
    cosine: Tensor
    """Between its gradient and that of the MSE, both at x_hat, 0-dimensional; about -1 when they fight."""


class Regularizer(nn.Module):
    r"""Owner of q_theta, and of what it adds to the codec's loss (arXiv 2411.16727).

    .. math::
        L = R + \lambda \cdot 255^2\,\mathrm{MSE} - \alpha\,H_\theta, \qquad
        H_\theta = \mathrm{E}\left[-\log_2 q_\theta(x | \hat x)\right] \ge H(X | \hat X)

    The codec's step takes :meth:`codec_term`, in which theta is held fixed, the source's step minimises
    :meth:`source_loss`, in which x_hat is. All entropies are in bits per pixel, the unit of the rate: the
    paper's unit is not known to us, but only so does alpha turn the rate R of an injective codec into
    (1 + alpha) R.

    Args:
        model: makes q_theta without arguments. It is called in a random state of its own, so that a codec
            trained with alpha = 0 draws the numbers of one trained without any of this.
        alpha: factor of the entropy. The papers' values are not known to us; see ``bounds.critical_alpha``.
        start: steps during which the term is 0 while q_theta learns what the reconstructions look like.
        ramp: steps from there in which alpha rises linearly to its value.
        seed: of q_theta's first weights.

    Raises:
        ValueError: if alpha, start or ramp is negative.
    """

    def __init__(
        self,
        model: Callable[[], SourceModel],
        alpha: float = 0.01,
        start: int = 0,
        ramp: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value in {"alpha": alpha, "start": start, "ramp": ramp}.items():
            if value < 0:
                raise ValueError(f"the regularizer's {name} must not be negative, got {value}.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = model()
        self.alpha = alpha
        self.start = start
        self.ramp = ramp

    @property
    def multiple(self) -> int:
        """Height and width of x must be multiples of this many pixels."""
        return self.model.multiple

    def alpha_at(self, step: int) -> float:
        """Alpha of the step that follows ``step`` finished ones."""
        if step < self.start:
            return 0.0
        return self.alpha * min(1.0, (step - self.start + 1) / (self.ramp + 1))

    def entropy(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """H_theta(X | X_hat) in bits per pixel, 0-dimensional; see :class:`SourceModel` for the arguments."""
        return self._bits(x, x_hat) / _pixels(x)

    def source_loss(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """What theta minimises: :meth:`entropy` with x_hat detached, so that nothing reaches the codec."""
        return self.entropy(x, x_hat.detach())

    def codec_term(self, x: Tensor, x_hat: Tensor, step: int) -> RegularizerTerm:
        """The codec's part, with theta frozen.

        The gradient at x_hat is taken at once, and the term returned is linear in x_hat with just this
        gradient: the activations of q_theta are gone before the codec's backward pass begins, and no gradient
        can reach theta. Where alpha is 0 q_theta does not run at all.

        Args:
            x: ``(B, 3, H, W)`` in [0, 1], 8-bit values / 255.
            x_hat: the same shape, attached to the codec, not clamped.
            step: finished steps.
        """
        alpha = self.alpha_at(step)
        if alpha == 0:
            zero = torch.zeros((), device=x.device)
            return RegularizerTerm(zero, alpha, zero)
        here = x_hat.detach()
        term, gradient = self._minus_entropy(x, here)
        change = ((x_hat - here) * gradient).sum()  # exactly 0, but it has the gradient
        cosine = nn.functional.cosine_similarity(gradient.flatten(), (here - x).flatten(), dim=0)
        return RegularizerTerm(alpha * (term + change), alpha, cosine)

    def _minus_entropy(self, x: Tensor, x_hat: Tensor) -> tuple[Tensor, Tensor]:
        """-H_theta and its gradient at x_hat.

        The sign counts: the likelihood's floor lets the gradient of bits through where it asks for fewer,
        not where it asks for more. Bits are summed before they are divided, lest fp16 underflow.
        """
        place = x_hat.float() if x_hat.element_size() < 4 else x_hat.clone()
        with frozen(self.model), torch.enable_grad():
            term = -self._bits(x, place.requires_grad_())
            (gradient,) = torch.autograd.grad(term, place)
        return term.detach() / _pixels(x), gradient / _pixels(x)

    def _bits(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Of all samples together, in the ambient precision.

        Without autocast's cache of narrowed weights: a training step is one autocast region, so that theta's
        second step on a batch would run with the weights of its first. A weight is used once a call anyway.
        """
        device = x.device.type
        enabled, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
        with torch.autocast(device, dtype, enabled, cache_enabled=False):
            return self.model(x, x_hat).sum()


def _pixels(x: Tensor) -> int:
    return x.shape[0] * x.shape[-2] * x.shape[-1]


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No parameter of the module gets a gradient from what runs inside; afterwards all is as before."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


LEVELS_SQUARED = 255**2


def critical_alpha(lmbda: float, mse: float) -> float:
    r"""The alpha at which the regularizer cancels the distortion's pull on the decoder.

    .. math:: \alpha^* = \frac{2 \ln 2}{3}\,\lambda \cdot 255^2\,\mathrm{MSE}

    Derived for a Gaussian q with mean x_hat and the variance of the reconstruction error: per sample the
    objective is :math:`(\lambda/3 - \alpha/(2\sigma^2\ln 2))\,e^2` in the error e. Above it a frozen q lets
    the error grow. Keep alpha below 0.3 of it.

    Args:
        lmbda: price of distortion, of :math:`\lambda \cdot 255^2\,\mathrm{MSE}`.
        mse: mean squared error on the [0, 1] scale.
    """
    return 2 * math.log(2) / 3 * lmbda * LEVELS_SQUARED * mse


@overload
def entropy_bound(mse: float) -> float: ...


@overload
def entropy_bound(mse: Tensor) -> Tensor: ...


def entropy_bound(mse: float | Tensor) -> float | Tensor:
    r"""No H(X | X_hat) is larger, in bits per pixel of three samples.

    .. math:: H(X | \hat X) \le \tfrac{3}{2} \log_2\left(2\pi e\,(255^2\,\mathrm{MSE} + 1/12)\right)

    The Gaussian has the largest entropy of its variance; 1/12 is that of the uniform dither which makes an
    integer continuous. A q_theta whose cross-entropy is above this is worse than one Gaussian of constant
    variance around x_hat: it is not trained yet.

    Args:
        mse: mean squared error on the [0, 1] scale, of any shape.
    """
    power = 2 * math.pi * math.e * (LEVELS_SQUARED * mse + 1 / 12)
    return 1.5 * (power.log2() if isinstance(power, Tensor) else math.log2(power))


def equivalent_lmbda(lmbda: float, alpha: float) -> float:
    r"""The lambda at which plain training has the regularized optimum, if all entropies are exact.

    .. math::
        R + \lambda D - \alpha H(X | \hat X)
        = (1 + \alpha) \left(R + \tfrac{\lambda}{1 + \alpha} D\right) - \alpha H(X)

    holds wherever the decoder is injective on the latents it meets, since then R = H(X) - H(X | X_hat). Plain
    training at this lambda is the control that an experiment with alpha needs.

    Args:
        lmbda: price of distortion of the regularized training.
        alpha: factor of the entropy.
    """
    return lmbda / (1 + alpha)
