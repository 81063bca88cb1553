"""Muon and SOAP as the codec's optimizer: what they do, and that a run survives them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from glic_pyg.training.callbacks.checkpoint import LastCheckpoint
from tests.training.conftest import states_equal

pytorch_optimizer = pytest.importorskip("pytorch_optimizer")
from glic_pyg.training.optimizers import is_matrix, muon  # noqa: E402

OPTIMIZERS = {
    "muon": partial(muon, lr=1e-3),
    "soap": partial(pytorch_optimizer.SOAP, lr=1e-3, precondition_frequency=2),
}


@pytest.fixture(params=OPTIMIZERS)
def codec_optimizer(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return OPTIMIZERS[request.param]


def test_stop_and_resume(make_module, make_data, make_trainer, codec_optimizer, tmp_path: Path) -> None:
    path = str(tmp_path / "last.ckpt")
    straight, stopped, resumed = (make_module(codec_optimizer=codec_optimizer) for _ in range(3))
    make_trainer(8).fit(straight, make_data(8))
    make_trainer(5, callbacks=[LastCheckpoint(path)]).fit(stopped, make_data(8))
    trainer = make_trainer(8)
    trainer.fit(resumed, make_data(8), ckpt_path=path, weights_only=True)
    assert trainer.global_step == 8
    assert states_equal(straight.state_dict(), resumed.state_dict())
    assert not states_equal(straight.state_dict(), stopped.state_dict())


def test_a_bad_step_moves_nothing(make_module, make_data, make_trainer, codec_optimizer) -> None:
    """Neither the weights nor their average, after good steps as well as before."""
    module = make_module(codec_optimizer=codec_optimizer)
    before: list[dict[str, torch.Tensor]] = []
    right_loss = module.loss.forward

    def bad_in_steps_0_and_4(*arguments: Any) -> Any:
        before.append({name: value.clone() for name, value in module.state_dict().items()})
        terms = right_loss(*arguments)
        return terms._replace(loss=terms.loss * math.nan) if module.step in (0, 4) else terms

    module.loss.forward = bad_in_steps_0_and_4
    make_trainer(6).fit(module, make_data(6))
    moved = [
        any(not torch.equal(one[name], other[name]) for name in one if name.startswith("model.g_a"))
        for one, other in zip(before, [*before[1:], module.state_dict()], strict=True)
    ]
    # SOAP's first step only looks at the gradient.
    assert moved[0] is moved[4] is False and all(moved[2:4]) and moved[5]


def test_what_is_a_matrix() -> None:
    shapes = {(8, 4): True, (8, 4, 3, 3): True, (8, 1, 3, 3): False, (8, 3, 1): False, (8,): False}
    assert {shape: is_matrix(nn.Parameter(torch.zeros(shape))) for shape in shapes} == shapes


def test_muon_moves_a_kernel_along_an_orthogonal_matrix() -> None:
    kernel, bias = nn.Parameter(torch.zeros(6, 2, 2, 2)), nn.Parameter(torch.zeros(6))
    optimizer = muon([kernel, bias], lr=0.01, others_lr=0.5)
    kernel.grad, bias.grad = torch.randn(kernel.shape), torch.ones(6)
    optimizer.step()
    values = torch.linalg.svdvals(kernel.detach().reshape(6, 8)) / (0.01 * 0.2 * 8**0.5)
    assert ((values > 0.6) & (values < 1.3)).all()
    torch.testing.assert_close(bias.detach(), torch.full((6,), -0.5))


def test_clipping_reaches_them(make_module, make_data, make_trainer, codec_optimizer) -> None:
    module = make_module(codec_optimizer=codec_optimizer, clip_norm=1e-3)
    seen: list[float] = []
    trainer = make_trainer(3)
    real = module.on_before_optimizer_step

    def look(optimizer: Any) -> None:
        real(optimizer)
        if optimizer is trainer.optimizers[0]:
            grads = [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
            seen.append(float(torch.nn.utils.get_total_norm(grads)))

    module.on_before_optimizer_step = look
    trainer.fit(module, make_data(3))
    assert len(seen) == 3 and all(0 < norm < 1.01e-3 for norm in seen)
