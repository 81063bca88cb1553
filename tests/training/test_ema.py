import pytest
import torch
from torch import nn

from glic_pyg.training.optimizers import WeightAverage


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
