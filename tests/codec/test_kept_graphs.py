"""Graphs of a search: kept for some steps, and never those of another image or of a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from glic_pyg.codec.effort import Descent, Effort
from glic_pyg.codec.file_search import FileSearch, _Objective
from glic_pyg.codec.image import as_image_data
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.kept_graphs import KeptGraphs
from glic_pyg.codec.latent_coder import Latents
from glic_pyg.graph import GraphBuilder
from glic_pyg.models.coding import frozen
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import weights_hash
from glic_pyg.nn import GFABlock
from tests.contracts.backbones import enlivened, untrained
from tests.models.conftest import TINY


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Tensor]]:
    """The maps that graphs have been built of."""
    maps: list[Tensor] = []
    build = GraphBuilder.__call__

    def spy(self: GraphBuilder, x: Tensor, *args: Any) -> Mapping[str, Any]:
        maps.append(x)
        return build(self, x, *args)

    monkeypatch.setattr(GraphBuilder, "__call__", spy)
    yield maps


def test_kept_until_forgotten(built: list[Tensor]) -> None:
    model = nn.Sequential(GFABlock(8, 2, depth=1, heads=2))
    twin = frozen(model)
    graphs, x, other = KeptGraphs(twin), torch.rand(1, 8, 8, 8), torch.rand(1, 8, 8, 8)
    first = twin(x)
    assert torch.equal(first, model(x)) and len(built) == 2  # the model itself keeps nothing
    with_graphs_of_x = twin(other)
    assert len(built) == 2 and not torch.equal(with_graphs_of_x, model(other))
    with graphs.set_aside():
        assert torch.equal(twin(other), model(other))
    assert torch.equal(twin(other), with_graphs_of_x)
    graphs.forget()
    assert torch.equal(twin(other), model(other))


def test_learned_complexity_and_entropy_models_keep_none() -> None:
    for name in ("glic with a learned complexity", "glic with GFA in the context", "hyperprior"):
        model = untrained(name)
        KeptGraphs(model)
        keeping = [type(m.builder).__name__ for m in model.modules() if hasattr(m, "builder")]
        expected = {"glic with GFA in the context": {"GraphBuilder", "_KeepingBuilder"}, "hyperprior": set()}
        assert set(keeping) == expected.get(name, {"GraphBuilder"})


def searched(codec: ImageCodec, pixels: np.ndarray, descent: Descent, *, keep: bool = True) -> Latents:
    coder = codec._coder
    files = FileSearch(coder, as_image_data(pixels), coder.analyse(pixels), Effort(1))
    if not keep:
        files._model = frozen(coder.model)
        files._graphs = KeptGraphs(nn.Identity())
    search = files._search(50.0, _Objective("psnr", 0.05))
    return search.run(search.start(files._scaled(50.0)), descent)


def test_a_graph_for_every_step_is_the_search_without_keeping(
    smooth: np.ndarray, built: list[Tensor]
) -> None:
    torch.manual_seed(3)
    model = enlivened(GLIC(**TINY, levels=(0.002, 0.05)).eval(), torch.rand(1, 3, 128, 128))
    codec, image = ImageCodec(model, "tiny", weights_hash(model)), smooth[:64, :64]  # type: ignore[arg-type]
    descent = Descent(5, 0.05, steps_a_graph=1)
    found = searched(codec, image, descent), searched(codec, image, descent, keep=False)
    assert torch.equal(found[0].y, found[1].y)
    built.clear()
    counts = []
    for steps_a_graph in (1, 3):
        searched(codec, image, Descent(5, 0.05, steps_a_graph=steps_a_graph))
        counts.append(len(built))
        built.clear()
    blocks = [module for module in model.g_s.modules() if isinstance(module, GFABlock)]  # type: ignore[union-attr]
    assert counts[0] - counts[1] == len(blocks) * (5 - 2) > 0
