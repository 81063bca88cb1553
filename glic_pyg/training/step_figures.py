"""What a training step tells the loggers."""

from __future__ import annotations

from torch import Tensor

from glic_pyg.regularizer.regularizer import RegularizerTerm, critical_alpha
from glic_pyg.training.distortion import squared_error
from glic_pyg.training.loss import RateDistortion, RateDistortionLoss


class StepFigures:
    """Means over the parts of a batch, by name."""

    def __init__(self) -> None:
        self.means: dict[str, Tensor | float] = {}

    def add(self, share: float, **values: Tensor | float) -> None:
        """Count a part of the batch, `share` of it, in the means."""
        for name, value in values.items():
            detached = value.detach() if isinstance(value, Tensor) else value
            self.means[name] = self.means.get(name, 0.0) + share * detached

    def add_codec(self, share: float, terms: RateDistortion) -> None:
        """The codec's terms."""
        self.add(share, loss=terms.loss, bpp=terms.bpp, mse=terms.mse, ortho=terms.ortho)

    def add_regularizer(self, share: float, term: RegularizerTerm) -> None:
        """The regularizer's part in them."""
        self.add(share, loss=term.loss, alpha=term.alpha, cosine=term.cosine)

    def finished(self, loss: RateDistortionLoss) -> dict[str, Tensor | float]:
        """The figures of the step.

        PSNR in dB is of the mean error of the crops, neither clamped nor rounded. ``r`` is α over
        :func:`~glic_pyg.regularizer.regularizer.critical_alpha`, which is defined for the squared error.
        """
        figures = dict(self.means)
        mse = figures.pop("mse")
        assert isinstance(mse, Tensor)
        figures["psnr"] = -10 * mse.log10()
        if "alpha" in figures and loss.distortion is squared_error:
            figures["r"] = figures["alpha"] / (critical_alpha(loss.lmbda, 1.0) * mse)
        return figures
