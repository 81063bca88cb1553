"""What is recorded of an image is what the model does with it."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.codec.determinism import full_precision_inference
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.weights_store import shipped_names
from glic_pyg.graph import build_graphs, complexity_map
from glic_pyg.inspection import latent_bits
from glic_pyg.inspection.inspect import (
    Inspection,
    gfa_blocks,
    inspect_image,
    logged_maps,
    observed,
)
from glic_pyg.inspection.latent_bits import Bits, coded
from glic_pyg.inspection.stats import overlaps
from glic_pyg.metrics import pixel_psnr
from glic_pyg.models.base import Codec
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import weights_hash
from glic_pyg.plotting import map_colours
from tests.contracts.backbones import BACKBONES, untrained
from tests.models.conftest import TINY

Pixels = NDArray[np.uint8]


def test_blocks_of_both_transforms(inspection: Inspection) -> None:
    assert [block.title for block in inspection.blocks] == [
        "g_a stage 1", "g_a stage 2", "g_s stage 2", "g_s stage 1"
    ]  # fmt: skip
    assert [block.stride for block in inspection.blocks] == [4, 8, 8, 4]
    assert [block.shape for block in inspection.blocks] == [(36, 52), (18, 26), (17, 25), (33, 50)]
    for block in inspection.blocks:
        assert [(layer.number, layer.graph.kind) for layer in block.layers] == [(0, "local"), (1, "mesh")]


def test_graphs_are_those_that_the_builder_makes_of_the_blocks_input(
    inspection: Inspection, tiny_glic: GLIC, x: Tensor
) -> None:
    g_a, block = tiny_glic.g_a, inspection.block("g_a.blocks.1")
    with torch.no_grad():
        features = g_a.down[1](g_a.blocks[0](g_a.down[0](x)) + g_a.side[0](x))
    np.testing.assert_allclose(block.complexity, complexity_map(features)[0], rtol=1e-5, atol=1e-6)
    for kind, graph in build_graphs(features).items():
        assert np.array_equal(block.graphs[kind].edge_index, graph.edge_index())


def test_layers_keep_their_input(inspection: Inspection, tiny_glic: GLIC, x: Tensor) -> None:
    g_a, block = tiny_glic.g_a, inspection.block("g_a stage 1")
    with torch.no_grad():
        features = g_a.down[1](g_a.blocks[0](g_a.down[0](x)) + g_a.side[0](x))
        normed = g_a.blocks[1].layers[0].norm_conv(features.permute(0, 2, 3, 1).flatten(1, 2))
    torch.testing.assert_close(block.layers[0].rows, normed[0])
    assert block.layers[1].rows.shape == normed[0].shape
    assert not torch.allclose(block.layers[1].rows, normed[0])


def test_observing_changes_nothing_and_leaves_no_hook(tiny_glic: GLIC, x: Tensor) -> None:
    with torch.no_grad():
        alone = tiny_glic.g_a(x)
        with observed(tiny_glic, (130, 200)):
            observed_y = tiny_glic.g_a(x)
    assert torch.equal(alone, observed_y)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in tiny_glic.modules())


def test_only_the_layers_asked_for_are_kept(tiny_glic: GLIC, image: Pixels) -> None:
    seen = inspect_image(tiny_glic, image, layers=[1])
    assert [[layer.number for layer in block.layers] for block in seen.blocks] == [[1]] * 4
    assert all(set(block.graphs) == {"local", "mesh"} for block in seen.blocks)


def test_one_image_at_a_time(tiny_glic: GLIC, x: Tensor) -> None:
    with torch.no_grad(), pytest.raises(ValueError, match="one map"), observed(tiny_glic, (130, 200)):
        tiny_glic.g_a(x.repeat(2, 1, 1, 1))
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in tiny_glic.modules())


@pytest.mark.parametrize("size", [(130, 200), (33, 50), (16, 15), (1, 1), (128, 128)])
def test_bits_and_pixels_are_those_of_the_file(tiny_glic: GLIC, size: tuple[int, int]) -> None:
    """The same latents beyond the image, the same walk over those that there are, the same decoded image."""
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    codec = ImageCodec(tiny_glic, "tiny", weights_hash(tiny_glic))
    seen, encoded = inspect_image(tiny_glic, image, layers=()), codec.encode(image, estimate=True)
    assert seen.bits.y.shape[1:] == (-(-size[0] // 16), -(-size[1] // 16))
    assert seen.bits.total == pytest.approx(encoded.estimated_bits, rel=1e-5)
    assert seen.bits.per_position.sum(dtype=np.float64) == pytest.approx(seen.bits.total, rel=1e-5)
    assert np.array_equal(seen.decoded, codec.decode(encoded.data).image_data.colour)
    assert all(np.all(block.shape >= np.array(size) / block.stride) for block in seen.blocks)


@pytest.mark.parametrize("name", BACKBONES)
def test_an_unlikely_latent_costs_most_in_its_channel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order that a model codes its latents in."""
    monkeypatch.setattr(latent_bits, "_EXACT", 100)
    model = untrained(name)
    usual = torch.zeros(1, model.latent_channels, 3, 5)
    for place in ((0, 0, 0), (1, 2, 3), (model.latent_channels - 1, 1, 4)):
        y = usual.clone()
        y[0][place] = 60
        with full_precision_inference(torch.device("cpu")):
            bits = [coded(model, each)[1].y for each in (usual, y)]
        more = (bits[1] - bits[0])[place[0]]
        assert more[place[1:]] > 10 and np.unravel_index(more.argmax(), more.shape) == place[1:]


def test_decoded_is_the_models_reconstruction(
    inspection: Inspection, tiny_glic: GLIC, image: Pixels, x: Tensor
) -> None:
    assert inspection.psnr == pytest.approx(pixel_psnr(inspection.decoded, image))
    mse = inspection.error_map.mean(dtype=np.float64)
    assert mse == pytest.approx(255**2 / 10 ** (inspection.psnr / 10), rel=1e-6)


def test_a_grey_image(tiny_glic: GLIC, image: Pixels) -> None:
    seen = inspect_image(tiny_glic, image[:, :, 0], layers=())
    assert seen.image.shape == (130, 200, 3) == seen.decoded.shape


def test_a_model_without_graphs(image: Pixels) -> None:
    seen = inspect_image(untrained("hyperprior"), image)
    assert not seen.blocks and seen.bits.total > 0 and seen.error_map.shape == (130, 200)


def test_bfloat16_moves_edges(inspection: Inspection, tiny_glic: GLIC, image: Pixels) -> None:
    low = inspect_image(tiny_glic, image, precision="bf16")
    ours, theirs = (seen.block("g_s stage 1").graphs["mesh"].source for seen in (inspection, low))
    assert ours.shape != theirs.shape or (ours != theirs).any()
    layer = low.blocks[0].layers[0]
    np.testing.assert_allclose(np.add.reduceat(layer.weights(), layer.graph.colptr[:-1]), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("graph", "kinds"),
    [({"kinds": ["union"]}, {"union"}), ({"detector": "learned", "kinds": ["mesh"]}, {"mesh"})],
    ids=["union", "learned"],
)
def test_other_graphs_than_the_released_ones(graph: dict[str, Any], kinds: set[str]) -> None:
    model = GLIC(**TINY, graph=graph).eval()
    seen = inspect_image(model, np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8))
    for block in seen.blocks:
        assert set(block.graphs) == kinds and block.complexity.shape == block.shape
        layer = block.layers[-1]
        np.testing.assert_allclose(np.add.reduceat(layer.weights(), layer.graph.colptr[:-1]), 1, rtol=1e-5)


def test_a_variable_rate() -> None:
    """The graphs of g_s follow the quality, those of g_a do not."""
    model = GLIC(**TINY, levels=(0.001, 0.1)).eval()
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    low, high = (inspect_image(model, image, quality=quality, layers=()) for quality in (0, 100))
    assert (low.quality, high.quality, inspect_image(model, image, layers=()).quality) == (0, 100, 50)
    assert low.bits.total != high.bits.total
    shared = {block: found.jaccard for (block, kind), found in overlaps(low, high).items() if kind == "mesh"}
    assert shared["g_a stage 2"] == 1 and shared["g_s stage 2"] < 1


def test_an_unknown_block_names_those_there_are(inspection: Inspection) -> None:
    with pytest.raises(KeyError, match="g_a stage 1, g_a stage 2"):
        inspection.block("g_b")


def test_blocks_by_path_in_order(tiny_glic: GLIC) -> None:
    assert list(gfa_blocks(tiny_glic)) == ["g_a.blocks.1", "g_a.blocks.2", "g_s.blocks.0", "g_s.blocks.1"]


def test_bits_of_z_are_shared_by_what_they_cover() -> None:
    """A quarter rounded to the nearest: the last place of z is for 6 rows of y here, and for 3 columns."""
    bits = Bits(np.zeros((3, 10, 7), np.float32), np.full((2, 2, 2), 12, np.float32))
    expected = np.full((10, 7), 24 / 16)
    expected[4:, :4], expected[:4, 4:], expected[4:, 4:] = 24 / 24, 24 / 12, 24 / 18
    assert np.allclose(bits.per_position, expected) and bits.total == 8 * 12


def test_maps_add_up_to_the_total(inspection: Inspection) -> None:
    bits = inspection.bits
    assert bits.per_position.sum(dtype=np.float64) == pytest.approx(bits.total)
    assert bits.per_pixel(144, 208).sum(dtype=np.float64) == pytest.approx(bits.total)
    assert np.array_equal(inspection.bit_map, bits.per_pixel(144, 208)[:130, :200])


def test_a_position_of_the_map_is_a_square_of_the_image() -> None:
    y = np.zeros((2, 4, 4), np.float32)
    y[:, 1, 2] = 128
    pixels = Bits(y, np.zeros((1, 1, 1), np.float32)).per_pixel(40, 64)
    assert pixels.shape == (40, 64) and (pixels[16:32, 32:48] == 1).all() and pixels.sum() == 256


def test_logged_maps_of_every_block() -> None:
    model, levels = untrained("glic"), torch.randint(0, 256, (1, 3, 128, 256))
    maps = logged_maps(model, levels / 255)
    blocks = {
        "g_a.blocks.1": (32, 64),
        "g_a.blocks.2": (16, 32),
        "g_s.blocks.0": (16, 32),
        "g_s.blocks.1": (32, 64),
    }
    shapes = {f"graphs/{b}/{kind}": s for b, s in blocks.items() for kind in ("complexity", "local", "mesh")}
    assert {name: tuple(each.shape[1:]) for name, each in maps.items()} == shapes | {
        "bits": (8, 16), "error": (128, 256)
    }  # fmt: skip
    seen = inspect_image(model, levels[0].permute(1, 2, 0).byte().numpy())
    degree = seen.block("g_s.blocks.0").graphs["mesh"].degree
    assert np.array_equal(maps["graphs/g_s.blocks.0/mesh"].permute(1, 2, 0), map_colours(degree))


def test_logged_maps_of_a_model_without_graphs() -> None:
    assert set(logged_maps(untrained("hyperprior"), torch.rand(1, 3, 64, 64))) == {"bits", "error"}


def test_no_maps_of_a_model_that_writes_no_files() -> None:
    assert logged_maps(Codec(), torch.rand(1, 3, 64, 64)) == {}


PROMISED = 4e9  # bytes

PROGRAM = """
import json, resource
import numpy as np
from glic_pyg.codec.weights_store import default_name, load_shipped
from glic_pyg.inspection.inspect import inspect_image
from glic_pyg.inspection.stats import graph_stats

rows, columns = np.mgrid[0:1365, 0:2048]
image = np.stack([rows % 256, columns % 256, (rows * columns) // 99 % 256], axis=-1).astype(np.uint8)
seen = inspect_image(load_shipped(default_name()).model, image)
edges = sum(stats.edges for stats in graph_stats(seen))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"edges": edges, "peak": peak}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not shipped_names(), reason="no weights are shipped")
def test_two_thousand_pixels_within_four_gigabytes() -> None:
    """In a process of its own: 2048 x 1365 pixels, all graphs, all layer inputs, all statistics."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["edges"] > 20e6 and found["peak"] < PROMISED
