"""GFAConv as a layer of GraphGym."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from glic_pyg.transforms import FeatureMapToGraph


@pytest.mark.filterwarnings("ignore:Could not define global config")  # GraphGym without yacs
@pytest.mark.parametrize(("width", "heads"), [(16, 8), (6, 6), (7, 7), (11, 1)])
def test_the_registered_layer(width: int, heads: int) -> None:
    from torch_geometric.graphgym.models.layer import LayerConfig
    from torch_geometric.graphgym.register import layer_dict

    from glic_pyg.graphgym import GFAConvLayer

    assert layer_dict["gfaconv"] is GFAConvLayer
    layer = layer_dict["gfaconv"](LayerConfig(dim_in=3, dim_out=width))
    assert layer.model.heads == heads
    data = FeatureMapToGraph(mean_degree=5)(torch.rand(3, 8, 8))
    expected = layer.model(data.x, data.edge_index, data.edge_attr)
    torch.testing.assert_close(layer(data.clone()).x, expected)
    features = Data(x=data.x, edge_index=data.edge_index, edge_attr=torch.rand(data.num_edges, 2))
    torch.testing.assert_close(layer(features).x, layer.model(data.x, data.edge_index))
