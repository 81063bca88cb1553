"""Every trainable parameter belongs to exactly one optimizer."""

import pytest
import torch

from glic_pyg.regularizer.families import HyperpriorSource
from glic_pyg.training.optimizers import parameter_groups
from tests.tiny_backbone import TinyBackbone
from tests.training.tiny_codec import TinyCodec


def identities(parameters) -> list[int]:
    return [id(parameter) for parameter in parameters]


@pytest.mark.parametrize("codec", [TinyCodec, TinyBackbone])
def test_groups_are_disjoint_and_complete(codec: type) -> None:
    model, source = codec(), HyperpriorSource(width=4)
    groups = parameter_groups(model, source)
    owned = [one for group in groups for one in identities(group.values())]
    assert len(owned) == len(set(owned))
    assert set(owned) == set(identities(model.parameters())) | set(identities(source.parameters()))
    assert identities(groups.quantiles.values()) == [id(model.bottleneck.quantiles)]
    assert set(identities(groups.theta.values())) == set(identities(source.parameters()))


def test_the_optimizers_own_just_these_groups(make_module, make_trainer, make_data, regularized) -> None:
    module, trainer = make_module(**regularized(0.01)), make_trainer(1)
    trainer.fit(module, make_data(1))
    owned = [[id(p) for g in optimizer.param_groups for p in g["params"]] for optimizer in trainer.optimizers]
    groups = parameter_groups(module.model, module.regularizer.model)
    assert owned == [identities(group.values()) for group in groups]
    trained = [p for p in module.parameters() if p.requires_grad]
    assert sorted(identities(trained)) == sorted(one for group in owned for one in group)


def test_frozen_parameters_belong_to_nobody() -> None:
    model = TinyCodec()
    model.g_a.requires_grad_(False)
    groups = parameter_groups(model)
    assert not {id(p) for p in model.g_a.parameters()} & {id(p) for group in groups for p in group.values()}


def test_a_parameter_of_two_masters_is_refused() -> None:
    model = TinyCodec()
    source = torch.nn.ModuleDict({"borrowed": model.g_s})
    with pytest.raises(ValueError, match=r"share the parameter theta\.borrowed\.weight"):
        parameter_groups(model, source)
