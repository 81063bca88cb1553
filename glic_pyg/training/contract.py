"""What a model must offer to be trained as a codec."""

from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class TrainableCodec(Protocol):
    """A module from images to reconstructions and likelihoods.

    Parameters whose name ends in ``quantiles`` are those of CompressAI's EntropyBottleneck: they are
    trained by :meth:`aux_loss` alone.
    """

    multiple: int
    """Height and width of the input must be multiples of this."""

    def __call__(self, x: Tensor, *quality: Tensor) -> dict[str, Any]:
        """Map (B, 3, H, W) in [0, 1] to ``{"x_hat": same shape, "likelihoods": {stream: tensor}}``.

        A model with ``rates`` (:class:`glic_pyg.models.gain.Gain`) is told the quality of each image, (B,).
        """

    def ortho_loss(self) -> Tensor:
        """Orthogonality loss, 0-dimensional; 0 for a model without such a term."""

    def aux_loss(self) -> Tensor:
        """Loss of the quantiles, 0-dimensional."""
