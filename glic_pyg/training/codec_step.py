"""One batch on its way through the turns of codec, quantiles and theta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from glic_pyg.errors import TrainingError
from glic_pyg.training.quality_draw import draw_qualities
from glic_pyg.training.quantile_solver import solve_quantiles
from glic_pyg.training.step_figures import StepFigures

if TYPE_CHECKING:
    from glic_pyg.training.codec_module import CodecModule


@dataclass
class Part:
    """What goes through the codec at once.

    Attributes:
        x: crops, (b, 3, H, W).
        share: of this process's batch.
        places: of the samples in the whole batch, over all processes.
        quality: at which to code each of them, (b,); None for a model of one rate.
        x_hat: their reconstruction, detached, once the codec has made it.
    """

    x: Tensor
    share: float
    places: Sequence[int]
    quality: Tensor | None = None
    x_hat: Tensor | None = None


class CodecStep:
    """A training step.

    Args:
        module: whose step it is.
        x: the batch, (B, 3, H, W) in [0, 1].

    Raises:
        TrainingError: crops of this size do not fit the models.
    """

    def __init__(self, module: CodecModule, x: Tensor) -> None:
        self.module = module
        self.figures = StepFigures()
        self.rates = module.model.rates
        self.parts = self._cut(x)
        for model in (module.model, module.regularizer):
            if model is not None and (x.shape[-2] % model.multiple or x.shape[-1] % model.multiple):
                raise TrainingError(
                    f"Crops of {x.shape[-1]}x{x.shape[-2]} do not fit {type(model).__name__}, which takes "
                    f"multiples of {model.multiple} pixels: choose another data.crop."
                )

    def _cut(self, x: Tensor) -> list[Part]:
        """The micro-batches. Process r of n has the samples r, r + n, ... of the whole batch."""
        rank, processes = self.module.global_rank, self.module.trainer.world_size
        places = range(rank, rank + len(x) * processes, processes)
        size = -(-len(x) // self.module.micro_batches)
        parts = [
            Part(part, len(part) / len(x), places[number * size : (number + 1) * size])
            for number, part in enumerate(x.split(size))
        ]
        if self.rates is not None:
            for part in parts:
                drawn = draw_qualities(self.module.seed, self.module.step, part.places, len(x) * processes)
                part.quality = drawn.to(x.device)
        return parts

    def run(self) -> bool:
        """All turns; whether the codec's step was taken. If not, nobody else learns from the batch either."""
        if not self.module.take_turn("codec", self.parts, self._codec_loss):
            return False
        self._learn_quantiles()
        if not self.module.alternation.source_first:
            self._learn_source(self.parts)
        return True

    def _codec_loss(self, part: Part) -> Tensor:
        """The codec's objective on a part of the batch."""
        module = self.module
        at = () if part.quality is None else (part.quality,)
        with module.noise.of(module.step, part.places, part.x.device):
            out = module.model(part.x, *at)
        x_hat: Tensor = out["x_hat"]
        part.x_hat = x_hat.detach()
        if module.alternation.source_first:
            self._learn_source([part])
        with torch.autocast(x_hat.device.type, enabled=False):
            lmbdas = None if self.rates is None else self.rates.lmbda(*at)
            terms = module.loss(part.x, x_hat, out["likelihoods"], module.model.ortho_loss(), lmbdas)
        self.figures.add_codec(part.share, terms)
        loss = terms.loss + self._regularizer_term(part, x_hat)
        streams = {f"the likelihood of {name}": value for name, value in out["likelihoods"].items()}
        last = {"x_hat": x_hat, "the orthogonality loss": terms.ortho, "the loss": loss}
        module.turns["codec"].note(loss, {"the batch": part.x, **streams, **last})
        return part.share * loss

    def _regularizer_term(self, part: Part, x_hat: Tensor) -> Tensor | float:
        if self.module.regularizer is None:
            return 0.0
        term = self.module.regularizer.codec_term(part.x, x_hat, self.module.step)
        self.figures.add_regularizer(part.share, term)
        return term.loss

    def _learn_quantiles(self) -> None:
        """A step on the auxiliary loss or, if nothing trains them, their solution now and then."""
        module = self.module
        if "quantiles" in module.turns:
            with torch.autocast(module.device.type, enabled=False):
                aux_loss = module.model.aux_loss()
            module.turns["quantiles"].take_alone(aux_loss)
            self.figures.add(1.0, aux=aux_loss)
        elif (module.step + 1) % module.solve_every == 0:
            solve_quantiles(module.model)

    def _learn_source(self, parts: list[Part]) -> None:
        """Theta's turns on reconstructions that the codec has just made; the first one is logged."""
        module = self.module
        if "theta" in module.turns and module.alternation.source_learns(module.step):
            for number in range(module.alternation.source_steps):
                figures = self.figures if number == 0 else StepFigures()
                module.take_turn("theta", parts, partial(self._source_loss, figures))

    def _source_loss(self, figures: StepFigures, part: Part) -> Tensor:
        """What theta minimises on a part of the batch."""
        assert self.module.regularizer is not None and part.x_hat is not None
        entropy = self.module.regularizer.source_loss(part.x, part.x_hat)
        figures.add(part.share, H_theta=entropy)
        self.module.turns["theta"].note(entropy, {"x_hat": part.x_hat, "H_theta": entropy})
        return part.share * entropy
