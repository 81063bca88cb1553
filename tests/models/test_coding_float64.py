"""Float32 modules that run in float64."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from glic_pyg.models.coding import float64_network, in_float64
from glic_pyg.models.glic import GLIC


@pytest.mark.parametrize("run", [in_float64, lambda module, x: float64_network(module)(x)])
def test_equals_a_converted_module(tiny: GLIC, run: Callable[[nn.Module, Tensor], Tensor]) -> None:
    z_hat = torch.randn(1, 6, 2, 3)
    h_s = tiny.latent_codec.hyper.h_s
    with torch.no_grad():
        got, expected = run(h_s, z_hat), deepcopy(h_s).double()(z_hat.double())
        single = h_s(z_hat)
    assert got.dtype == torch.float64
    assert torch.equal(got, expected)
    assert not torch.equal(got, single.double())
    assert all(p.dtype == torch.float32 for p in h_s.parameters())
