"""What is known about the regularizer without training anything."""

from __future__ import annotations

import math

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


def entropy_bound(mse: float) -> float:
    r"""No H(X | X_hat) is larger, in bits per pixel of three samples.

    .. math:: H(X | \hat X) \le \tfrac{3}{2} \log_2\left(2\pi e\,(255^2\,\mathrm{MSE} + 1/12)\right)

    The Gaussian has the largest entropy of its variance; 1/12 is that of the uniform dither which makes an
    integer continuous. A q_theta whose cross-entropy is above this is worse than one Gaussian of constant
    variance around x_hat: it is not trained yet.

    Args:
        mse: mean squared error on the [0, 1] scale.
    """
    return 1.5 * math.log2(2 * math.pi * math.e * (LEVELS_SQUARED * mse + 1 / 12))


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
