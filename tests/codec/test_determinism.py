"""Decoders reproduce the encoder's latents under any floating-point settings, or raise, and change none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.decoder_settings import (
    SETTINGS,
    inside_autocast,
    medium_precision,
    threads,
    two_threads,
    without_onednn,
)
from glic_pyg.codec import determinism
from glic_pyg.codec.coders import EntropyEncoder, PriorTables
from glic_pyg.codec.determinism import full_precision_inference, usable_device
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.codec.rounding import LATTICE, MARGIN, lattice_coordinates, level_coordinates
from glic_pyg.codec.tables import LOG_SCALE_STEP
from glic_pyg.codec.weights_store import load_from_path
from glic_pyg.errors import BadArgument, LatentMismatch
from glic_pyg.graph import cells
from glic_pyg.models.checkerboard import _order
from glic_pyg.models.weights import save_weights, weights_hash
from tests.contracts.backbones import BACKBONES, untrained
from tests.tiny_backbone import TinyBackbone


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(name: str) -> Iterator[None]:
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def everything() -> Iterator[None]:
    with default_dtype(torch.bfloat16), default_device("meta"), inside_autocast(), deterministic():
        yield


HOSTS: dict[str, Any] = {
    "float64 by default": lambda: default_dtype(torch.float64),
    "bfloat16 by default": lambda: default_dtype(torch.bfloat16),
    "float16 by default": lambda: default_dtype(torch.float16),
    "the meta device by default": lambda: default_device("meta"),
    "inside torch.device('meta')": lambda: torch.device("meta"),
    "without gradient": torch.no_grad,
    "in inference mode": torch.inference_mode,
    "deterministic algorithms": deterministic,
    "inside autocast": inside_autocast,
    "numpy's errors raised": lambda: np.errstate(all="raise"),
}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return weights(tmp_path, "glic conditioned, with depths a stage")


def weights(folder: Path, name: str) -> Path:
    save_weights(folder / "a.safetensors", untrained(name), {})
    return folder / "a.safetensors"


def there_and_back(
    path: Path, image: np.ndarray, host: AbstractContextManager[Any]
) -> tuple[bytes, np.ndarray]:
    """A file and its pixels, with everything loaded and computed inside the host's settings."""
    for kept in (cells._kept, _order):
        kept.cache_clear()
    with host:
        loaded = load_from_path(path)
        codec = ImageCodec(loaded.model, loaded.name, loaded.hash)
        data = codec.encode(image).data
        return data, codec.decode(data).array


@pytest.mark.parametrize("host", HOSTS)
def test_a_hosts_settings_do_not_matter(plain: Path, pixels: np.ndarray, host: str) -> None:
    image = pixels[:64, :96]
    expected, got = (there_and_back(plain, image, h) for h in (nullcontext(), HOSTS[host]()))
    assert got[0] == expected[0] and np.array_equal(got[1], expected[1])


@pytest.mark.parametrize("name", BACKBONES)
def test_all_of_them_do_not_matter_for_any_backbone(name: str, pixels: np.ndarray, tmp_path: Path) -> None:
    path, image = weights(tmp_path, name), pixels[:40, :64]
    expected, got = (there_and_back(path, image, h) for h in (nullcontext(), everything()))
    assert got[0] == expected[0] and np.array_equal(got[1], expected[1])


@pytest.mark.parametrize("mean_degree", [48, 48.0])
def test_graphs_of_a_float_budget_do_not_depend_on_the_default_dtype(
    mean_degree: float, pixels: np.ndarray
) -> None:
    x = torch.from_numpy(pixels[:48, :48].copy()).permute(2, 0, 1)[None].float()
    build = cells_builder(mean_degree)
    expected = {kind: graph.mask for kind, graph in build(x).items()}
    for dtype in (torch.float64, torch.bfloat16):
        with default_dtype(dtype):
            assert all(torch.equal(graph.mask, expected[kind]) for kind, graph in build(x).items())


def cells_builder(mean_degree: float) -> Any:
    from glic_pyg.graph import graph_builder

    return graph_builder(mean_degree=mean_degree, method="exact", scope="image")


def test_what_is_kept_serves_training_after_inference_mode(plain: Path, pixels: np.ndarray) -> None:
    there_and_back(plain, pixels[:64, :64], torch.inference_mode())
    model = load_from_path(plain).model.train()
    model(torch.rand(1, 3, 128, 128))["x_hat"].mean().backward()
    assert all(p.grad is not None for p in model.g_a.parameters() if p.requires_grad)


def test_random_numbers_of_the_program_are_left_alone(plain: Path, pixels: np.ndarray) -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    there_and_back(plain, pixels[:64, :64], nullcontext())
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def switches() -> dict[str, Any]:
    """Settings of the whole process that an encoder might be tempted to change."""
    backends: Any = torch.backends
    found = {
        "float32 products": torch.get_float32_matmul_precision(),
        "TF32": (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32),
        "cudnn": (backends.cudnn.benchmark, backends.cudnn.deterministic, backends.cudnn.enabled),
        "oneDNN": backends.mkldnn.enabled,
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "defaults": (torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()),
    }
    if hasattr(backends.mkldnn, "matmul"):  # torch 2.9 and later
        owners = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
        found["precisions"] = [owner.fp32_precision for owner in owners]
    return found


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_no_switch_of_the_process_is_touched_meanwhile(pixels: np.ndarray, precision: Any) -> None:
    model, seen = untrained("hyperprior"), []
    for module in (model.g_a, model.g_s, model.latent_codec.hyper.h_s[0]):
        module.register_forward_hook(lambda *_: seen.append(switches()))
    codec = ImageCodec(model, "tiny", "00" * 32, precision=precision)
    with medium_precision(), inside_autocast():
        before = switches()
        codec.decode(codec.encode(pixels[:64, :64]).data)
        assert torch.is_autocast_enabled("cpu") and torch.is_grad_enabled()
        assert len(seen) == 4 and seen == [before] * 4 and switches() == before


def test_autocast_is_off_inside(codec: ImageCodec) -> None:
    a = torch.randn(256, 256, generator=torch.Generator().manual_seed(4))
    with inside_autocast(), full_precision_inference(codec.device):
        inside = a @ a
    assert inside.dtype == torch.float32
    assert (inside.double() - a.double() @ a.double()).abs().max() < 1e-4


CONVOLUTIONS: dict[str, Any] = {
    "plain": lambda x, w: F.conv2d(x, w),
    "options": lambda x, w: F.conv2d(x, w, w[:, 0, 0, 0], 2, (1, 2), 1),
    "groups": lambda x, w: F.conv2d(x, w[:, :1], padding=1, groups=6),
    "same": lambda x, w: F.conv2d(x, w, padding="same"),
    "one image": lambda x, w: F.conv2d(x[0], w),
    "transposed": lambda x, w: F.conv_transpose2d(x, w, w[0, :, 0, 0], 2, 1, 1),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolutions_on_cuda_are_the_usual_ones_without_tf32(kind: str) -> None:
    """The way is taken here as well; only the choice of a kernel needs a GPU."""
    x, weight = torch.rand(2, 6, 9, 8), torch.rand(6, 6, 3, 3)
    expected = CONVOLUTIONS[kind](x, weight)
    with (
        mock.patch("torch._convolution", wraps=torch._convolution) as called,
        determinism._Float32Convolutions(),
    ):
        got: Tensor = CONVOLUTIONS[kind](x, weight)
    assert torch.equal(got, expected)
    if kind not in ("same", "one image"):
        benchmark, *_, tf32 = called.call_args.args[-4:]
        assert benchmark is False and tf32 is False


@pytest.mark.parametrize("name", ["meta", "no such thing", "cuda:99", "", None, 1.5])
def test_devices_that_cannot_compute(name: Any) -> None:
    with pytest.raises(BadArgument, match="cannot use the device"):
        usable_device(name)


@pytest.mark.parametrize("setting", SETTINGS)
def test_decodes_under_other_settings(codec: ImageCodec, pixels: np.ndarray, setting: str) -> None:
    agrees(codec, pixels, None, setting)


@pytest.mark.parametrize("quality", [0, 37.25, 100])
@pytest.mark.parametrize("setting", SETTINGS)
def test_any_quality_decodes_under_other_settings(
    variable_codec: ImageCodec, pixels: np.ndarray, setting: str, quality: float
) -> None:
    agrees(variable_codec, pixels, RateTarget("quality", quality), setting)


def agrees(codec: ImageCodec, pixels: np.ndarray, target: RateTarget | None, setting: str) -> None:
    """The checksum of the latents makes any disagreement about them an error."""
    with threads(1):
        data = codec.encode(pixels, target=target).data
        expected = codec.decode(data).array.astype(int)
    with SETTINGS[setting]():
        decoded = codec.decode(data).array.astype(int)
    assert (np.abs(decoded - expected) <= 1).mean() >= 0.999


def test_coding_float64s_differ_far_less_than_the_margin() -> None:
    """What the margin is held against: one walk with one thread, one with two and without oneDNN."""
    model, seen = TinyBackbone(), []

    class Spy(EntropyEncoder):
        def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
            seen.append((means.clone(), scales.clone()))
            return super().gaussian(means, scales, values)

    y = 5 * torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(2))
    with threads(1):
        model.code_latents(Spy(PriorTables()), y, shape=(32, 32))
    with two_threads(), without_onednn():
        model.code_latents(Spy(PriorTables()), y, shape=(32, 32))
    half = len(seen) // 2
    for one, other in zip(seen[:half], seen[half:], strict=True):
        drift = (lattice_coordinates(one[0]) - lattice_coordinates(other[0])).abs().max() / LATTICE
        assert drift < MARGIN / 1000
        drift = (level_coordinates(one[1]) - level_coordinates(other[1])).abs().max() * LOG_SCALE_STEP
        assert drift < MARGIN / 1000


def test_a_real_disagreement_is_an_error(codec: ImageCodec, pixels: np.ndarray) -> None:
    """Weights that differ in the last float32 bit stand for a machine that computes something else."""
    data = codec.encode(pixels).data
    model = TinyBackbone()
    model.context[0].bias.data += 1e-3
    other = ImageCodec(model, codec.name, codec.hash_prefix.hex())
    with pytest.raises(LatentMismatch, match="no image was made"):
        other.decode(data)


def test_one_by_one_or_many_the_files_are_the_same(codec: ImageCodec, pixels: np.ndarray) -> None:
    images = [pixels, pixels[:64, :64], 255 - pixels]
    together = [encoded.data for encoded in codec.encode_many(images)]
    assert together == [codec.encode(image).data for image in images]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_decodes_on_the_other_kind_of_machine(codec: ImageCodec, pixels: np.ndarray) -> None:
    model = TinyBackbone()
    gpu = ImageCodec(model, "tiny", weights_hash(model), device="cuda")
    for writer, reader in ((codec, gpu), (gpu, codec)):
        data = writer.encode(pixels).data
        here, there = writer.decode(data).array.astype(int), reader.decode(data).array.astype(int)
        assert (np.abs(here - there) <= 1).mean() >= 0.999
