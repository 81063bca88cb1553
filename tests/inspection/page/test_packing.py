"""Packed panels read back."""

import io
import math
import zlib
from base64 import b64decode
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.fields import ReceptiveFields
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.page.packing import (
    LEVELS_PER_OCTAVE,
    MAP_STEPS,
    TOP_LEVEL,
    Streams,
    attention_levels,
    block_means,
    pack_panel,
    pack_values,
)
from glic_pyg.inspection.stats import GraphStats, graph_stats


def data(streams: Streams, number: int) -> bytes:
    return b64decode(streams.html().split("</script>")[number].split(">")[1])


def values(streams: Streams, packed: dict[str, Any]) -> NDArray[np.float64]:
    levels = np.frombuffer(zlib.decompress(data(streams, packed["stream"])), "<u2")
    return packed["low"] + packed["step"] * levels.reshape(packed["rows"], packed["columns"])


@pytest.fixture(scope="module")
def stats(inspection: Inspection) -> list[dict[str, GraphStats]]:
    found = iter(graph_stats(inspection))
    return [{kind: next(found) for kind in block.graphs} for block in inspection.blocks]


@pytest.fixture(scope="module")
def packed(inspection: Inspection, stats: list[dict[str, GraphStats]]) -> tuple[dict[str, Any], Streams]:
    streams = Streams("a")
    return pack_panel(inspection, stats, 16, streams), streams


def test_maps_are_those_of_the_image(packed: tuple[dict[str, Any], Streams], inspection: Inspection) -> None:
    panel, streams = packed
    block, source = panel["blocks"][0], inspection.blocks[0]
    assert np.array_equal(
        values(streams, block["graphs"]["mesh"]["degree"]), source.graphs["mesh"].degree[:33, :50]
    )
    assert np.array_equal(
        values(streams, block["graphs"]["local"]["outDegree"]), source.graphs["local"].out_degree[:33, :50]
    )
    complexity = source.complexity[:33, :50]
    close = values(streams, block["complexity"])
    assert np.abs(close - complexity).max() <= np.ptp(complexity) / MAP_STEPS * 0.51
    bits = inspection.bit_map[::16, ::16]
    assert np.abs(values(streams, panel["bits"]) - bits).max() <= np.ptp(bits) / MAP_STEPS * 0.51
    error = np.square(values(streams, panel["error"]))
    assert error[0, 0] == pytest.approx(inspection.error_map[:4, :4].mean(), rel=0.01)
    assert error[-1, -1] == pytest.approx(inspection.error_map[-2:, -4:].mean(), rel=0.01)


def test_the_rate_is_that_of_the_file(packed: tuple[dict[str, Any], Streams], inspection: Inspection) -> None:
    bits = inspection.bits.y.sum(dtype=np.float64) + inspection.bits.z.sum(dtype=np.float64)
    assert packed[0]["bpp"] == pytest.approx(bits / (130 * 200)) == inspection.bpp
    assert inspection.bpp > 1.05 * inspection.bit_map.mean()


def test_the_psnr_is_none_where_nothing_is_lost(
    packed: tuple[dict[str, Any], Streams], inspection: Inspection, stats: list[dict[str, GraphStats]]
) -> None:
    assert packed[0]["psnr"] == inspection.psnr
    exact = replace(inspection, decoded=inspection.image)
    assert math.isinf(exact.psnr) and pack_panel(exact, stats, 64, Streams("a"))["psnr"] is None


def test_the_image_is_there_at_full_size(
    packed: tuple[dict[str, Any], Streams], image: NDArray[np.uint8]
) -> None:
    panel, streams = packed
    shown = np.asarray(Image.open(io.BytesIO(data(streams, panel["original"]))))
    assert shown.shape == image.shape
    assert np.abs(shown[:, :90].astype(int) - image[:, :90]).max() <= 3


def test_fields_are_powers_of_ten(inspection: Inspection, stats: list[dict[str, GraphStats]]) -> None:
    maps = np.full((1, *inspection.size), 1e-9)
    maps[0, :4, :4], maps[0, :4, 4:8] = 1, 0.01
    streams = Streams("a")
    panel = pack_panel(inspection, stats, 64, streams, ReceptiveFields(np.array([[0, 0]]), maps))
    levels = np.frombuffer(zlib.decompress(data(streams, panel["fields"]["stream"])), np.uint8)
    assert panel["fields"]["side"] == 4 and panel["fields"]["decades"] == 4
    assert levels[:3].tolist() == [255, 128, 0]


def test_levels_of_attention_are_precise_for_small_weights_too() -> None:
    shares = np.geomspace(1 / 3900, 1, 500)
    levels = attention_levels(shares)
    back = 2.0 ** ((levels.astype(float) - TOP_LEVEL) / LEVELS_PER_OCTAVE)
    assert levels.min() > 0 and (np.abs(back / shares - 1) <= 2 ** (1 / 16) - 1 + 1e-9).all()
    assert attention_levels(np.array([0, 1e-4, 1.0])).tolist() == [0, 0, TOP_LEVEL]


def test_means_of_squares_and_of_what_is_left_of_them() -> None:
    ramp = np.arange(6.0)[:, None] + np.zeros(5)
    assert block_means(ramp, 4).tolist() == [[1.5, 1.5], [4.5, 4.5]]


def test_a_flat_map() -> None:
    streams = Streams("a")
    packed = pack_values(np.full((2, 3), 7.5), 8, streams)
    assert values(streams, packed).tolist() == [[7.5] * 3] * 2
