"""The arithmetic of files holds inside whatever the surrounding program has switched on, and only there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.decoder_settings import inside_autocast, medium_precision
from glic_pyg.codec.arithmetic import plain_arithmetic
from glic_pyg.codec.image_codec import ImageCodec


def test_full_float32_inside(codec: ImageCodec) -> None:
    a = torch.randn(256, 256, generator=torch.Generator().manual_seed(4))
    with medium_precision(), inside_autocast(), plain_arithmetic(codec.device):
        inside = a @ a
    assert (inside.double() - a.double() @ a.double()).abs().max() < 1e-4


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="torch before 2.9")
def test_the_new_names_of_the_settings_work_too(codec: ImageCodec, pixels: np.ndarray) -> None:
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    try:
        codec.decode(codec.encode(pixels).data)
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_settings_are_put_back(codec: ImageCodec, pixels: np.ndarray) -> None:
    with medium_precision(), inside_autocast():
        codec.decode(codec.encode(pixels).data)
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_grad_enabled()
