"""Maps for the logs."""

import numpy as np
import torch

from glic_pyg.inspection.inspection import inspect_picture
from glic_pyg.inspection.logged_maps import logged_maps
from glic_pyg.inspection.map_colours import map_colours
from tests.contracts.backbones import untrained


def test_maps_of_every_block() -> None:
    model, levels = untrained("glic"), torch.randint(0, 256, (1, 3, 128, 256))
    maps = logged_maps(model, levels / 255)
    blocks = {
        "g_a.blocks.1": (32, 64),
        "g_a.blocks.2": (16, 32),
        "g_s.blocks.0": (16, 32),
        "g_s.blocks.1": (32, 64),
    }
    shapes = {f"graphs/{b}/{kind}": s for b, s in blocks.items() for kind in ("complexity", "local", "mesh")}
    assert {name: tuple(picture.shape[1:]) for name, picture in maps.items()} == shapes | {
        "bits": (8, 16), "error": (128, 256)
    }  # fmt: skip
    seen = inspect_picture(model, levels[0].permute(1, 2, 0).byte().numpy())
    degree = seen.block("g_s.blocks.0").graphs["mesh"].degree
    assert np.array_equal(maps["graphs/g_s.blocks.0/mesh"].permute(1, 2, 0), map_colours(degree))


def test_a_model_without_graphs() -> None:
    assert set(logged_maps(untrained("hyperprior"), torch.rand(1, 3, 64, 64))) == {"bits", "error"}
