"""Accumulating gradients inside a step equals taking the batch at once."""

import pytest
import torch
from torch import Tensor

from tests.training.tiny_codec import TinyCodec


class Noiseless(TinyCodec):
    """Rounds in training too, so that parts of a batch see what the whole batch sees."""

    def forward(self, x: Tensor) -> dict:
        y = 10 * self.g_a(x)
        _, likelihoods = self.bottleneck(y, training=False)
        rounded = y + (y.round() - y).detach()
        return {"x_hat": self.g_s(rounded / 10), "likelihoods": {"y": likelihoods}}


def weights_after(
    make_module, make_data, make_trainer, parts: int, regularizer: dict, batch: int = 4
) -> list[Tensor]:
    torch.manual_seed(3)
    model = Noiseless()
    module = make_module(model=model, micro_batches=parts, codec_optimizer=_sgd, **regularizer)
    trainer = make_trainer(3)
    trainer.fit(module, make_data(3, batch_size=batch))
    assert trainer.global_step == 3
    return [p.detach() for p in module.parameters()]


def _sgd(parameters) -> torch.optim.Optimizer:
    """Unlike Adam it does not blow rounding up to a whole step where a gradient is about 0."""
    return torch.optim.SGD(parameters, lr=1e-2)


@pytest.mark.parametrize("alpha", [None, 0.05])
@pytest.mark.parametrize("parts", [2, 3, 4])
def test_parts_add_up(make_module, make_data, make_trainer, regularized, alpha, parts: int) -> None:
    run = (make_module, make_data, make_trainer)
    options = [{} if alpha is None else {**regularized(alpha), "source_optimizer": _sgd} for _ in range(2)]
    whole = weights_after(*run, 1, options[0])
    cut = weights_after(*run, parts, options[1])
    for one, other in zip(whole, cut, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_one_part_lives_at_a_time(make_module, make_data, make_trainer) -> None:
    sizes = []
    module = make_module(micro_batches=3)
    module.model.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    make_trainer(1).fit(module, make_data(1, batch_size=6))
    assert sizes == [2, 2, 2]
