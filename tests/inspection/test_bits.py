import numpy as np
import pytest
import torch

from glic_pyg.inspection.bits import Bits, bits_of
from glic_pyg.inspection.inspection import Inspection


def test_bits_of_likelihoods() -> None:
    bits = bits_of({"y": torch.full((1, 3, 4, 8), 0.25), "z": torch.full((1, 2, 1, 2), 0.5)})
    assert (bits.y == 2).all() and (bits.z == 1).all()
    assert bits.total == 2 * 96 + 4
    assert np.allclose(bits.per_cell, 6 + 2 / 16)


def test_maps_add_up_to_the_total(inspection: Inspection) -> None:
    bits = inspection.bits
    assert bits.per_cell.sum(dtype=np.float64) == pytest.approx(bits.total)
    assert bits.per_pixel(256, 256).sum(dtype=np.float64) == pytest.approx(bits.total)
    assert np.array_equal(inspection.bit_map, bits.per_pixel(256, 256)[:130, :200])


def test_a_place_of_the_map_is_a_place_of_the_picture() -> None:
    y = np.zeros((2, 4, 4), np.float32)
    y[:, 1, 2] = 128
    pixels = Bits(y, np.zeros((1, 1, 1), np.float32)).per_pixel(40, 64)
    assert pixels.shape == (40, 64) and (pixels[16:32, 32:48] == 1).all() and pixels.sum() == 256
