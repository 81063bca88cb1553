"""Noise depends on the sample alone."""

from __future__ import annotations

import copy

import pytest
import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from torch import Tensor, nn

from glic_pyg.training.noise import SampleNoise, entropy_in_float32

CPU = torch.device("cpu")
MODELS = {"bottleneck": EntropyBottleneck(4), "gaussian": GaussianConditional(None)}


def quantised(model: nn.Module, x: Tensor) -> Tensor:
    """x with noise, as the model draws it while it learns."""
    return (
        model(x, torch.ones_like(x), training=True)[0]
        if isinstance(model, GaussianConditional)
        else model(x)[0]
    )


@pytest.fixture(params=MODELS)
def noisy(request: pytest.FixtureRequest) -> tuple[nn.Module, SampleNoise]:
    model = copy.deepcopy(MODELS[request.param])
    return model, SampleNoise(model, seed=3)


def test_a_sample_has_the_same_noise_in_any_batch(noisy: tuple[nn.Module, SampleNoise]) -> None:
    model, noise = noisy
    x = torch.randn(6, 4, 3, 5)
    with noise.of(7, range(6), CPU):
        together = quantised(model, x)
    for samples in ([0], [1, 4], [2, 3, 5]):
        with noise.of(7, samples, CPU):
            assert torch.equal(quantised(model, x[samples]), together[samples])


def test_noise_is_uniform_and_new_for_every_call_step_sample_and_seed(
    noisy: tuple[nn.Module, SampleNoise],
) -> None:
    model, noise = noisy
    x = torch.zeros(1, 4, 64, 64)
    drawn = []
    for seed, step, sample in [(3, 0, 0), (3, 1, 0), (3, 0, 1), (4, 0, 0)]:
        noise.seed = seed
        with noise.of(step, [sample], CPU):
            drawn += [quantised(model, x), quantised(model, x)]
    values = torch.stack(drawn)
    assert -0.5 <= values.min() < -0.49 and 0.49 < values.max() <= 0.5
    assert values.mean().abs() < 0.01 and values.var().sub(1 / 12).abs() < 1e-3
    correlation = torch.corrcoef(values.flatten(1)).fill_diagonal_(0)
    assert correlation.abs().max() < 0.05


def test_outside_it_is_compressais(noisy: tuple[nn.Module, SampleNoise]) -> None:
    model, _ = noisy
    plain = MODELS["bottleneck" if isinstance(model, EntropyBottleneck) else "gaussian"]
    x = torch.randn(2, 4, 3, 5)
    torch.manual_seed(1)
    ours = quantised(model, x)
    torch.manual_seed(1)
    assert torch.equal(ours, quantised(plain, x))
    assert torch.equal(model.quantize(x, "dequantize"), x.round())


def test_no_generator_but_its_own_is_used(noisy: tuple[nn.Module, SampleNoise]) -> None:
    model, noise = noisy
    before = torch.get_rng_state()
    with noise.of(0, range(2), CPU):
        quantised(model, torch.zeros(2, 4, 3, 5))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_number_of_samples_must_be_told(noisy: tuple[nn.Module, SampleNoise]) -> None:
    model, noise = noisy
    with noise.of(0, range(4), CPU), pytest.raises((RuntimeError, ValueError)):
        quantised(model, torch.zeros(2, 4, 3, 5))


def test_a_batch_in_parts_trains_the_same_weights(make_module, make_data, make_trainer) -> None:
    trained = []
    for parts in (1, 2, 4):
        module = make_module(micro_batches=parts)
        make_trainer(4).fit(module, make_data(4, batch_size=4))
        trained.append(module.model.state_dict())
    for name, value in trained[0].items():
        for other in trained[1:]:
            torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-6, msg=name)


class Rates(nn.Module):
    """Both kinds of entropy models."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bottleneck = EntropyBottleneck(4)
        self.gaussian = GaussianConditional(None)

    def forward(self, y: torch.Tensor) -> dict[str, torch.Tensor]:
        _, z = self.bottleneck(y, training=False)
        _, y = self.gaussian(y, scales=torch.ones_like(y), means=torch.full_like(y, 0.25), training=False)
        return {"y": y, "z": z}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_likelihoods_are_those_of_float32(dtype: torch.dtype) -> None:
    plain, guarded = Rates(), Rates()
    entropy_in_float32(guarded)
    y = (5 * torch.randn(2, 4, 16, 16)).to(dtype)
    expected = plain(y.float())
    with torch.autocast("cpu", dtype):
        careless, got = plain(y), guarded(y)
    for name, value in expected.items():
        assert got[name].dtype == torch.float32
        torch.testing.assert_close(got[name], value, rtol=0, atol=0)
    error = max((careless[name].float() / value - 1).abs().max().item() for name, value in expected.items())
    assert error > 0.001  # or all this is for nothing


def test_copies_are_guarded_and_float64_stays() -> None:
    guarded = Rates()
    entropy_in_float32(guarded)
    twin = copy.deepcopy(guarded).double()
    with torch.autocast("cpu", torch.bfloat16):
        likelihoods = twin(torch.randn(1, 4, 8, 8, dtype=torch.float64))
    assert all(value.dtype == torch.float64 for value in likelihoods.values())


def test_autocast_is_back_after_an_error() -> None:
    guarded = Rates()
    entropy_in_float32(guarded)
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises((RuntimeError, IndexError)):
            guarded.bottleneck(torch.zeros(1, 7, 8, 8), training=False)
        assert torch.is_autocast_enabled("cpu")
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
        assert guarded.bottleneck(torch.zeros(1, 4, 8, 8))[1].dtype == torch.float32
