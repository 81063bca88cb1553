r"""Searches better files of one image, and compares them on real bytes and pixels.

A search lowers :math:`J = R + \lambda D`. The exchange rate of variable-rate weights is that of their
quality; that of other weights is measured on the image, as the slope at which finer or coarser steps trade
bits for distortion. Whatever a search finds is coded, decoded and compared: a file with a higher J than that
of effort 0 is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from glic_pyg.codec.determinism import full_precision_gradients
from glic_pyg.codec.effort import Effort, Metric, Progress
from glic_pyg.codec.image import ImageData
from glic_pyg.codec.kept_graphs import KeptGraphs
from glic_pyg.codec.latent_coder import LatentCoder, Latents
from glic_pyg.codec.latent_search import LatentSearch
from glic_pyg.codec.pixels import tensor_from_colour
from glic_pyg.codec.rate_control import DEFAULT_QUALITY
from glic_pyg.codec.relaxed_coder import RelaxedCoder
from glic_pyg.codec.results import Encoded, Won
from glic_pyg.errors import BadArgument
from glic_pyg.memory import check_memory
from glic_pyg.metrics import MS_SSIM_MIN_SIDE, ms_ssim, pixel_psnr
from glic_pyg.models.base import LATENT_STRIDE
from glic_pyg.models.coding import frozen
from glic_pyg.types import Pixels

__all__ = ["Candidate", "FileSearch"]

Candidate = tuple[Encoded, Tensor]
"""A file, and its y_hat in the scale of the entropy model."""

_FINER = 0.85
"""By how much the quantizer's steps change, both ways, to measure an exchange rate."""


@dataclass(frozen=True)
class _Objective:
    """Distortion of an image, in bits.

    Attributes:
        metric: its measure: the squared error in grey levels, or 1 - MS-SSIM.
        weight: bits for one of it, a pixel.
    """

    metric: Metric
    weight: float

    def of_tensors(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """Of (1, C, h, w) in [0, 1], differentiable: a scalar."""
        return self.weight * x.shape[2] * x.shape[3] * _distortion(self.metric, x_hat.clamp(0, 1), x)

    def of_pixels(self, decoded: Pixels, original: Pixels) -> float:
        """Of images of 8 bits."""
        return self.weight * original.shape[0] * original.shape[1] * _measure(self.metric, decoded, original)


class FileSearch:
    """Finds better files of one image.

    Args:
        coder: the model.
        image: what is encoded.
        y: of the image, not scaled.
        effort: how much to try; not level 0.

    Raises:
        BadArgument: the image is too small for MS-SSIM.
        NotEnoughMemory: a tile needs more than is free.
    """

    def __init__(self, coder: LatentCoder, image: ImageData, y: Tensor, effort: Effort) -> None:
        if effort.metric == "ms-ssim" and min(image.size) < MS_SSIM_MIN_SIDE:
            raise BadArgument(
                f"MS-SSIM needs {MS_SSIM_MIN_SIDE} pixels a side and this image has "
                f"{image.size[0]}x{image.size[1]}; improve its PSNR instead."
            )
        self._coder, self._image, self._y, self._effort = coder, image, y, effort
        self._model = frozen(coder.model)
        self._graphs = KeptGraphs(self._model)
        with full_precision_gradients(coder.device):
            quality = None if coder.rates is None else DEFAULT_QUALITY
            needed = self._search(quality, _Objective("psnr", 1.0)).memory(y.clone())
        check_memory(
            needed,
            f"Effort {effort.level}",
            "free some, or use effort 0 or smaller weights",
            str(coder.device),
        )

    def improve(self, plain: Candidate, encode: Callable[[Latents, float | None], Candidate]) -> Candidate:
        """Search from the latents of a file on; return the file found, or ``plain`` if it is no better.

        Args:
            plain: the file of effort 0, and its y_hat.
            encode: makes a file of scaled latents and a quality.
        """
        descent = self._effort.descent
        assert descent is not None
        quality, before = plain[0].quality, self._decoded(plain)
        done = 0

        def report(progress: Progress) -> bool:
            nonlocal done
            done = progress.step
            return self._effort.report is None or self._effort.report(progress)

        with full_precision_gradients(self._coder.device):
            objective = self._objective(plain[0], before)
            if objective is None:
                return plain
            search = self._search(quality, objective)
            found = search.run(search.start(self._scaled(quality)), descent, report)
        better = encode(found, quality)
        after = self._decoded(better)
        cost, lower = (
            8 * len(file.data) + objective.of_pixels(decoded, self._image.colour)
            for (file, _), decoded in ((plain, before), (better, after))
        )
        gain = max(0.0, (cost - lower) / (8 * len(plain[0].data)))
        psnr = pixel_psnr(before, self._image.colour), pixel_psnr(after, self._image.colour)
        won = Won(self._effort.level, done, len(plain[0].data), psnr[0], psnr[1] if gain else psnr[0], gain)
        encoded, y_hat = better if gain else plain
        return replace(encoded, won=won), y_hat

    def _scaled(self, quality: float | None) -> Tensor:
        return self._coder.scale(self._y, quality).clone()  # of an inference tensor, one for autograd

    def _search(self, quality: float | None, objective: _Objective) -> LatentSearch:
        image, rates = self._image, self._model.rates
        x = tensor_from_colour(image.colour, self._coder.device)

        def synthesise(y_hat: Tensor) -> Tensor:
            unscaled = y_hat if rates is None or quality is None else rates.unscale(y_hat, quality)
            height, width = y_hat.shape[2:]
            return self._model.synthesise(unscaled, (LATENT_STRIDE * height, LATENT_STRIDE * width))

        def loss(x_hat: Tensor, rows: slice, columns: slice) -> Tensor:
            target = x[:, :, rows, columns]
            x_hat = x_hat[:, :, : target.shape[2], : target.shape[3]]
            if image.grey:
                x_hat, target = x_hat.mean(1, keepdim=True), target[:, :1]
            return objective.of_tensors(x_hat, target)

        return LatentSearch(self._model, synthesise, loss, self._graphs, self._generator())

    def _generator(self) -> torch.Generator:
        return torch.Generator(self._coder.device).manual_seed(self._effort.seed)

    def _objective(self, plain: Encoded, decoded: Pixels) -> _Objective | None:
        """The objective at the quality of a file; ``None`` if the file is without loss."""
        error = _measure("psnr", decoded, self._image.colour)
        if error == 0:
            return None
        rates = self._coder.rates
        if rates is not None:
            rate = float(rates.lmbda(torch.tensor(plain.quality)))
        else:
            rate = self._slope() or plain.latent_bits / (decoded.shape[0] * decoded.shape[1] * error)
        if self._effort.metric == "ms-ssim":  # so that both metrics stand for as many bits
            rate *= error / max(_measure("ms-ssim", decoded, self._image.colour), 1e-9)
        return _Objective(self._effort.metric, rate)

    def _slope(self) -> float | None:
        """Bits a squared grey level and pixel, as finer and coarser steps of the quantizer trade them."""
        objective, y = _Objective("psnr", 1.0), self._scaled(None)
        width, height = self._image.size
        bits, error = [], []
        with torch.no_grad():
            for step in (_FINER, 1 / _FINER):
                coder = RelaxedCoder(None, self._generator(), None)
                y_hat = self._model.code_latents(coder, y / step, shape=(y.shape[2], y.shape[3]))
                decoded = self._coder.synthesise(y_hat * step, None, width, height, grey=self._image.grey)
                bits.append(float(coder.bits))
                error.append(objective.of_pixels(decoded, self._image.colour))
        trades = bits[0] > bits[1] and error[0] < error[1]
        return (bits[0] - bits[1]) / (error[1] - error[0]) if trades else None

    def _decoded(self, candidate: Candidate) -> Pixels:
        file, y_hat = candidate
        return self._coder.synthesise(y_hat, file.quality, *self._image.size, grey=self._image.grey)


def _distortion(metric: Metric, x_hat: Tensor, x: Tensor) -> Tensor:
    """Squared error in grey levels, or 1 - MS-SSIM, of tensors in [0, 1]."""
    if metric == "psnr":
        return (x_hat - x).square().mean() * 255**2
    from pytorch_msssim import ms_ssim as differentiable

    return 1 - differentiable(x_hat, x, data_range=1.0)


def _measure(metric: Metric, decoded: Pixels, original: Pixels) -> float:
    """The same of images of 8 bits."""
    if metric == "psnr":
        return float(np.square(decoded.astype(np.int32) - original).mean())
    pair = (tensor_from_colour(pixels, torch.device("cpu")) for pixels in (decoded, original))
    return 1 - float(ms_ssim(*pair))
