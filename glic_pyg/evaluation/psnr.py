"""The PSNR of this package."""

from torch import Tensor


def psnr(x_hat: Tensor, x: Tensor) -> Tensor:
    r"""Peak signal-to-noise ratio of 8-bit pictures.

    .. math::
        \mathrm{PSNR} = 10 \log_{10} \frac{255^2}{\mathrm{MSE}}

    over all pixels and channels of a picture, both sides clamped to [0, 1] and rounded to 8 bit first.

    Args:
        x_hat: reconstructions (B, C, H, W), 1.0 is white.
        x: originals, same shape.

    Returns:
        dB for each picture, (B,) float64; infinite for equal pictures.
    """
    difference = (_to_8bit(x_hat) - _to_8bit(x)).square().mean(dim=(1, 2, 3))
    return 10 * (255**2 / difference).log10()


def _to_8bit(x: Tensor) -> Tensor:
    return (x.double().clamp(0, 1) * 255).round()
