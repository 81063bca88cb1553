"""The promise of the format: the decoder's latents are the encoder's, or there is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from glic_pyg.codec.agreement import PriorTables
from glic_pyg.codec.arithmetic import plain_arithmetic
from glic_pyg.codec.errors import CorruptFile, LatentMismatch, NonFiniteLatents
from glic_pyg.codec.goal import Goal
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.lattice import LATTICE, MARGIN, lattice_coordinates, level_coordinates, round_tracked
from glic_pyg.codec.reading_channel import ReadingChannel
from glic_pyg.codec.tables import LEAST_SCALE, LOG_SCALE_STEP, SCALE_LEVELS
from glic_pyg.codec.ties import Tie, TieKind, pack_ties, take_ties
from glic_pyg.codec.writing_channel import WritingChannel
from glic_pyg.models.weights import weights_hash
from tests.tiny_backbone import TinyBackbone


def test_ties_there_and_back() -> None:
    ties = [Tie(3, TieKind.LEVEL, True), Tie(3, TieKind.LATTICE, False), Tie(70000, TieKind.LATTICE, True)]
    packed = pack_ties(ties)
    assert take_ties(packed + b"rest", 0) == (sorted(ties), len(packed))


def test_rounding_knows_its_ties() -> None:
    coordinates = torch.tensor([1.5 - 1e-12, 1.5 + 1e-12, 1.5, 1.4, -2.5, 7.0], dtype=torch.float64)
    rounded = round_tracked(coordinates, 1e-9)
    assert rounded.values.tolist() == [1, 2, 2, 1, -2, 7]
    assert rounded.near.tolist() == [0, 1, 2, 4]


def test_levels_cover_all_scales() -> None:
    scales = torch.tensor([0.0, -3.0, LEAST_SCALE, 1e9], dtype=torch.float64)
    assert level_coordinates(scales).tolist() == [0, 0, 0, SCALE_LEVELS - 1]


def _latents(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Means and scales, half of them next to a tie."""
    rng = np.random.default_rng(9)
    means, scales = rng.normal(0, 5, count), np.exp(rng.normal(0, 2, count))
    next_to_tie = rng.normal(0, 1e-13, count)
    means[::2] = ((np.floor(means * LATTICE) + 0.5) / LATTICE + next_to_tie)[::2]
    levels = np.floor(rng.uniform(0, SCALE_LEVELS - 2, count)) + 0.5
    scales[::3] = (LEAST_SCALE * np.exp(levels * LOG_SCALE_STEP) * (1 + next_to_tie))[::3]
    y = rng.normal(means, scales)
    return torch.tensor(means), torch.tensor(scales), torch.tensor(y, dtype=torch.float32)


def test_another_machines_last_bits_do_not_matter() -> None:
    means, scales, y = _latents(4000)
    writer = WritingChannel(PriorTables())
    written = []
    for m, s, v in zip(*(t.chunk(3) for t in (means, scales, y)), strict=True):
        written += [writer.gaussian(m, s, v), writer.lattice(m)]
    rng = torch.Generator().manual_seed(0)
    noise = [1 + 3e-13 * torch.randn(4000, generator=rng, dtype=torch.float64) for _ in range(2)]
    reader = ReadingChannel(PriorTables(), writer.finish())
    pairs = zip((means * noise[0]).chunk(3), (scales * noise[1]).chunk(3), strict=True)
    read = []
    for m, s in pairs:
        read += [reader.gaussian(m, s, None), reader.lattice(m)]
    assert torch.equal(torch.cat(read), torch.cat(written))
    assert reader.crc == writer.crc


def test_means_and_scales_may_be_views() -> None:
    """Backbones cut them out of one tensor, so that they are not contiguous."""
    means, scales, y = (t.reshape(2, 5, 400) for t in _latents(4000))
    both = torch.cat([means, scales], dim=1)
    writer = WritingChannel(PriorTables())
    y_hat = writer.gaussian(*both.chunk(2, dim=1), y)
    reader = ReadingChannel(PriorTables(), writer.finish())
    assert torch.equal(reader.gaussian(*both.chunk(2, dim=1), None), y_hat)
    separate = WritingChannel(PriorTables())
    separate.gaussian(means.contiguous(), scales.contiguous(), y)
    assert separate.finish() == writer.finish()


def test_without_the_list_of_ties_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: it does so when the encoder does not note its ties."""
    monkeypatch.setattr(WritingChannel, "_note", lambda *_: None)
    with pytest.raises(Exception):  # noqa: B017  (any disagreement will do)
        test_another_machines_last_bits_do_not_matter()


def test_a_corrected_latent_is_rounded_and_checked() -> None:
    values = torch.tensor([[-1e9, 40000.3], [0.123456789, -3.3]], dtype=torch.float64)
    writer, reader = WritingChannel(PriorTables()), ReadingChannel(PriorTables(), b"\0")
    rounded = writer.lattice(values)
    assert torch.equal(rounded.float().double(), rounded)
    assert torch.equal(rounded[1] * LATTICE, (values[1] * LATTICE).round())
    reader.lattice(values + 1 / LATTICE)
    assert writer.crc != 0 and reader.crc != writer.crc


def test_latents_are_exact_in_float32() -> None:
    means = torch.tensor([-1e9, 40000.0, 0.123456789, -3.3], dtype=torch.float64)
    y = torch.tensor([-1e9, 1e9, 5.0, -3.0])
    y_hat = WritingChannel(PriorTables()).gaussian(means, torch.ones(4, dtype=torch.float64), y)
    assert torch.equal(y_hat.float().double(), y_hat)
    assert (y_hat[2:] - y[2:]).abs().max() <= 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nothing_to_code_is_said(value: float) -> None:
    good, bad = torch.ones(3, dtype=torch.float64), torch.tensor([1.0, value, 1.0], dtype=torch.float64)
    for means, scales, y in ((bad, good, good), (good, bad, good), (good, good, bad)):
        with pytest.raises(NonFiniteLatents, match="not finite"):
            WritingChannel(PriorTables()).gaussian(means, scales, y)
    with pytest.raises(NonFiniteLatents, match="not finite"):
        WritingChannel(PriorTables()).lattice(bad)
    with pytest.raises(CorruptFile, match="not finite"):
        ReadingChannel(PriorTables(), b"\0").lattice(bad)


@contextmanager
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _without_onednn() -> Iterator[None]:
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = True


@contextmanager
def _lower_matmul_precision() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


@contextmanager
def _autocast() -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16):
        yield


SETTINGS = (_threads, _without_onednn, _lower_matmul_precision, _autocast)


@pytest.mark.parametrize("setting", SETTINGS)
def test_decodes_under_other_settings(
    codec: ImageCodec, pixels: np.ndarray, setting: Callable[[], object]
) -> None:
    _agrees(codec, codec.encode(pixels).data, setting)


@pytest.mark.parametrize("quality", [0, 37.25, 100])
@pytest.mark.parametrize("setting", SETTINGS)
def test_any_quality_decodes_under_other_settings(
    variable_codec: ImageCodec, pixels: np.ndarray, setting: Callable[[], object], quality: float
) -> None:
    _agrees(variable_codec, variable_codec.encode(pixels, goal=Goal("quality", quality)).data, setting)


def _agrees(codec: ImageCodec, data: bytes, setting: Callable[[], object]) -> None:
    """The checksum of the latents makes any disagreement about them an error."""
    expected = codec.decode(data).array.astype(int)
    with setting():  # type: ignore[attr-defined]
        decoded = codec.decode(data).array.astype(int)
    assert (np.abs(decoded - expected) <= 1).mean() >= 0.999


def test_full_float32_inside(codec: ImageCodec) -> None:
    a = torch.randn(256, 256, generator=torch.Generator().manual_seed(4))
    with _lower_matmul_precision(), _autocast(), plain_arithmetic(codec.device):
        inside = a @ a
    assert (inside.double() - a.double() @ a.double()).abs().max() < 1e-4


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="torch before 2.9")
def test_the_new_names_of_the_settings_work_too(codec: ImageCodec, pixels: np.ndarray) -> None:
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    try:
        codec.decode(codec.encode(pixels).data)
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_settings_are_put_back(codec: ImageCodec, pixels: np.ndarray) -> None:
    with _lower_matmul_precision(), _autocast():
        codec.decode(codec.encode(pixels).data)
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_grad_enabled()


def test_float64_networks_differ_far_less_than_the_margin() -> None:
    """What the margin is held against: one walk with one thread, one with two and without oneDNN."""
    model, seen = TinyBackbone(), []

    class Spy(WritingChannel):
        def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
            seen.append((means.clone(), scales.clone()))
            return super().gaussian(means, scales, values)

    y = 5 * torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(2))
    model.code_latents(Spy(PriorTables()), y, shape=(32, 32))
    with _threads(), _without_onednn():
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
    with pytest.raises(LatentMismatch, match="no picture was made"):
        other.decode(data)


def test_one_by_one_or_many_the_files_are_the_same(codec: ImageCodec, pixels: np.ndarray) -> None:
    pictures = [pixels, pixels[:64, :64], 255 - pixels]
    together = [encoded.data for encoded in codec.encode_many(pictures)]
    assert together == [codec.encode(picture).data for picture in pictures]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_decodes_on_the_other_kind_of_machine(codec: ImageCodec, pixels: np.ndarray) -> None:
    model = TinyBackbone()
    gpu = ImageCodec(model, "tiny", weights_hash(model), device="cuda")
    for writer, reader in ((codec, gpu), (gpu, codec)):
        data = writer.encode(pixels).data
        here, there = writer.decode(data).array.astype(int), reader.decode(data).array.astype(int)
        assert (np.abs(here - there) <= 1).mean() >= 0.999
