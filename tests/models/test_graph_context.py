"""GFA in the entropy model: what it reads, and that both sides of a file build the same graph."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from glic_pyg.models.coding import in_float64
from glic_pyg.models.context import GraphContext
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GFABlock
from tests.models.conftest import TINY


@pytest.fixture
def context() -> GraphContext:
    return GraphContext(nn.Conv2d(6, 8, 1), 8, depth=2, heads=2)


@pytest.fixture
def y_hat() -> Tensor:
    """Decoded latents: multiples of 1/256, many of them alike."""
    return torch.randn(1, 6, 8, 24).mul(2).round().double() + 19 / 256


def test_layers_take_turns_on_the_graphs_of_the_latents(context: GraphContext, y_hat: Tensor) -> None:
    context.double()
    graphs = context.builder(y_hat)
    rows = context.ramp(y_hat).permute(0, 2, 3, 1)
    for layer, kind in zip(context.layers, ("local", "mesh"), strict=True):
        rows = layer(rows, graphs[kind])
    torch.testing.assert_close(context(y_hat), rows.permute(0, 3, 1, 2))


def test_a_far_latent_that_is_alike_is_read(context: GraphContext) -> None:
    """The mesh graph reaches over the whole map, further than any convolution of the context."""
    y_hat = torch.zeros(1, 6, 16, 32, dtype=torch.float64)
    y_hat[..., ::4, ::4] = torch.randn(1, 6, 1, 1).double().round()
    other = y_hat.clone()
    other[..., 4, 4] *= 2  # the direction, and with it the graph, stays
    moved = (context.double()(other) != context(y_hat)).any(1)[0]
    assert moved[12, 28]


def test_the_walk_in_float64_is_the_module_in_float64(context: GraphContext, y_hat: Tensor) -> None:
    walked = in_float64(context, y_hat)
    torch.testing.assert_close(walked, context.double()(y_hat), rtol=1e-12, atol=1e-12)


def test_the_graph_does_not_depend_on_the_order_of_channels(context: GraphContext, y_hat: Tensor) -> None:
    """What another processor's order of summation amounts to."""
    one, other = (context.builder(x) for x in (y_hat, y_hat.flip(1)))
    assert all(torch.equal(one[kind].mask, other[kind].mask) for kind in one)


def test_it_stands_behind_every_channel_context() -> None:
    model = GLIC(**TINY, context_gfa_depth=1)
    contexts = model.latent_codec.y.channel_context
    assert [type(module) for module in contexts.values()] == [GraphContext] * (len(TINY["groups"]) - 1)
    assert not any(isinstance(module, GraphContext) for module in GLIC(**TINY).modules())


@pytest.mark.parametrize(("where", "blocks"), [("both", (2, 2)), ("encoder", (2, 0)), ("decoder", (0, 2))])
def test_gfa_in_one_transform_only(where: str, blocks: tuple[int, int]) -> None:
    model = GLIC(**TINY, gfa_in=where)  # type: ignore[arg-type]
    found = tuple(sum(isinstance(m, GFABlock) for m in t.modules()) for t in (model.g_a, model.g_s))
    assert found == blocks
    assert model(torch.rand(1, 3, 128, 128))["x_hat"].shape == (1, 3, 128, 128)


def test_an_unknown_place_is_named() -> None:
    with pytest.raises(ValueError, match="'nowhere'"):
        GLIC(**TINY, gfa_in="nowhere")  # type: ignore[arg-type]


def test_radius_graphs_on_the_meta_device() -> None:
    """A model without memory, as the count of its operations needs it."""
    with torch.device("meta"):
        model = GLIC(**TINY, graph={"kinds": ["radius"], "radius": 7.5})
    assert next(model.parameters()).is_meta
