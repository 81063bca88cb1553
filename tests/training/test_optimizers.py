"""Every trainable parameter belongs to exactly one optimizer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from glic_pyg.regularizer.families import HyperpriorSource
from glic_pyg.training.optimizers import WeightAverage, parameter_groups
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


def test_update_by_hand() -> None:
    source = nn.Linear(1, 1, bias=False)
    source.weight.data.fill_(0.0)
    average = WeightAverage(source, decay=0.9)
    source.weight.data.fill_(1.0)
    average.update_parameters(source)  # the first one takes the weights over
    assert average.module.weight.item() == 1
    source.weight.data.fill_(2.0)
    average.update_parameters(source)  # decay 2/11 in the beginning
    assert average.module.weight.item() == pytest.approx(2 - 2 / 11)
    average.n_averaged.fill_(10_000)
    average.module.weight.data.fill_(0.0)
    average.update_parameters(source)  # decay 0.9 in the end
    assert average.module.weight.item() == pytest.approx(0.2)


def test_restart_takes_the_weights_over() -> None:
    source = nn.Linear(1, 1, bias=False)
    average = WeightAverage(source, decay=0.9)
    for value in (1.0, 5.0):
        source.weight.data.fill_(value)
        average.update_parameters(source)
    average.restart(source)
    assert average.module.weight.item() == 5 and average.n_averaged.item() == 0


def test_zero_decay_is_a_copy_and_buffers_are_copied() -> None:
    source = nn.BatchNorm1d(3)
    average = WeightAverage(source, decay=0.0)
    source.weight.data.normal_()
    source.running_mean.normal_()
    source.num_batches_tracked.add_(5)
    average.update_parameters(source)
    source.weight.data.normal_()
    average.update_parameters(source)
    for key, value in source.state_dict().items():
        assert torch.equal(value, average.module.state_dict()[key])


def test_average_is_never_trained() -> None:
    average = WeightAverage(nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
    average.train()
    assert not any(module.training for module in average.modules())
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_decay_out_of_range() -> None:
    with pytest.raises(ValueError, match="below 1"):
        WeightAverage(nn.Linear(1, 1), decay=1.0)
