"""The weights in the package: whole, small, as their cards say, and decoding what they encoded elsewhere."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

import glic_pyg
from glic_pyg.codec import weights_store
from glic_pyg.codec.api import codec_for_encoding
from glic_pyg.codec.results import open_info
from glic_pyg.codec.tables import factorized_parts
from glic_pyg.codec.weights_store import default_name, load_shipped, shipped_names
from glic_pyg.errors import WeightsMismatch, WeightsNotFound
from glic_pyg.evaluation.baselines.pillow import JPEG
from glic_pyg.evaluation.measure import quality_of
from glic_pyg.evaluation.rate_matching import at_least
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import save_weights, weights_of
from glic_pyg.nn import precision

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "glic_pyg" / "weights"
LARGEST_FILE, LARGEST_SUM = 16 * 2**20, 64 * 2**20
GOLDEN_FILES = sorted((ROOT / "tests" / "reference").glob("*.glic"))
CROP = slice(200, 277), slice(150, 311)
GOLDEN_TABLES = {
    "glic_s4": "81c65ea8d74fe085d9a5ea8def97f995823f6a146e1147f5f4ea6d129679cc86",
    "glic_s3": "5cac07080283aed5e61b265b853faa7928691a1831647c0fb0dca9df2a012085",
    "glic_s2": "8efb9674fc056517e771250f04d7cb3f50853e3a2f756a949c6e7fac27d60b56",
    "glic_s": "54cbafaeb912f0e2aeeca7d3ad2adb5edc51058e770fe7ec257384aca45c6b65",
    "glic_xs": "815599e2075011d4373e49266a03049c32e5c4503fcb2505c84a2742edf944e9",
}


@pytest.fixture(scope="module")
def dog() -> np.ndarray:
    return np.asarray(Image.open(ROOT / "data" / "samples" / "dog.png").convert("RGB"))


@pytest.mark.parametrize("name", shipped_names())
def test_weights_are_what_their_card_says(name: str) -> None:
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= LARGEST_FILE
    assert load_shipped(name).hash in (FOLDER / f"{name}.md").read_text(encoding="utf-8")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of weights of an installation that may be damaged; it holds glic_xs."""
    (tmp_path / "glic_xs.safetensors").write_bytes((FOLDER / "glic_xs.safetensors").read_bytes())
    monkeypatch.setattr(weights_store, "_folder", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("place", ["a weight", "the configuration", "the hash"])
def test_a_flipped_bit_is_noticed(installation: Path, place: str) -> None:
    path = installation / "glic_xs.safetensors"
    data = bytearray(path.read_bytes())
    width = data.index(b"32", data.index(b"parameter_width"))
    places = {"a weight": 9_000_001, "the configuration": width, "the hash": data.index(b"54d718ec")}
    data[places[place]] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsNotFound, match=r"The weights 'glic_xs' are damaged, reinstall glic-pyg"):
        load_shipped("glic_xs")


@pytest.mark.parametrize("graph", [{"scope": "image"}, {"mean_degree": 32}])
def test_other_graphs_do_not_decode_its_files(
    installation: Path, graph: dict[str, Any], dog: np.ndarray
) -> None:
    """Same tensors, other edges: without the configuration in the hash the image was wrong, and no error."""
    model = load_shipped("glic_xs").model
    other = GLIC(**{**model.config, "graph": graph})
    other.load_state_dict(model.state_dict())
    save_weights(installation / "other.safetensors", other, {})
    data = glic_pyg.encode(dog[:64, :64], model="glic_xs")
    for weights in (installation / "other.safetensors", as_the_first_release(installation, other)):
        with pytest.raises(WeightsMismatch):
            glic_pyg.decode(data, weights=weights)


def as_the_first_release(folder: Path, model: GLIC) -> Path:
    """A file without a hash."""
    save_file(weights_of(model), folder / "old.safetensors", {"architecture": json.dumps(model.config)})
    return folder / "old.safetensors"


def test_together_they_are_small() -> None:
    assert shipped_names()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= LARGEST_SUM


def test_the_default_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_name() == weights_store.DEFAULT_NAME in shipped_names()
    monkeypatch.setattr(weights_store, "shipped_names", lambda: ("other",))
    with pytest.raises(WeightsNotFound, match=f"lacks its default weights '{weights_store.DEFAULT_NAME}'"):
        default_name()


@pytest.mark.parametrize("golden", GOLDEN_FILES, ids=lambda path: path.stem)
def test_a_file_made_elsewhere_decodes(golden: Path, dog: np.ndarray) -> None:
    """Its checksum of the latents makes any disagreement an error."""
    decoded = np.asarray(glic_pyg.decode(golden.read_bytes()))
    assert quality_of(decoded, dog[CROP] if golden.stem.startswith("crop") else dog).psnr > 30


def test_there_is_a_file_of_all_weights() -> None:
    for stem in ("dog", "crop"):  # of the first version that had them, and of version 3 with odd sides
        files = [path for path in GOLDEN_FILES if path.stem.startswith(stem)]
        assert {open_info(path).model for path in files} == {*shipped_names()}
    assert {path.read_bytes()[4] for path in GOLDEN_FILES} >= {2, 3}


@pytest.mark.parametrize("name", shipped_names())
def test_probability_tables_are_those_of_every_machine(name: str) -> None:
    model = load_shipped(name).model
    parts = factorized_parts(model.latent_codec.hyper.entropy_bottleneck)  # type: ignore[attr-defined]
    assert hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest() == GOLDEN_TABLES[name]


def test_beats_jpeg(dog: np.ndarray) -> None:
    data = glic_pyg.encode(dog)
    ours = quality_of(np.asarray(glic_pyg.decode(data)), dog)
    jpeg = JPEG.decode(at_least(JPEG, dog, len(data)).data, dog.shape)
    assert ours.psnr >= quality_of(jpeg, dog).psnr + 1.5


class AnyProcessor(precision._BFloat16Products):
    """Products by a processor that rounds their results to bfloat16 in any way it likes."""

    def __init__(self, native: bool) -> None:
        super().__init__(native=False)

    def _widened(self, product: Tensor) -> Tensor:
        return product * (1 + 2**-8 * (2 * torch.rand_like(product) - 1))


@pytest.fixture(params=["this processor", "any processor"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "any processor":
        monkeypatch.setattr(precision, "_BFloat16Products", AnyProcessor)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        yield


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("quality", [50, 100])
def test_decoding_in_bfloat16_costs_nothing_to_see(dog: np.ndarray, quality: float) -> None:
    crop = dog[:128, 128:320]
    data = glic_pyg.encode(crop, quality=quality)
    exact, low = (np.asarray(glic_pyg.decode(data, precision=p)) for p in ("float32", "bf16"))
    assert abs(quality_of(exact, crop).psnr - quality_of(low, crop).psnr) <= 0.01
    difference = np.abs(exact.astype(int) - low)
    assert difference.any() and (difference <= 1).mean() >= 0.999


@pytest.mark.usefixtures("products")
def test_bfloat16_moves_latents_by_a_hundredth_of_their_step(dog: np.ndarray) -> None:
    """So one in a hundred is rounded the other way, where both are as near: what that gives is chance."""
    crop = dog[:128, 128:320].copy()
    coders = [codec_for_encoding(None, None, precision=p)._coder for p in ("float32", "bf16")]
    with torch.inference_mode():
        exact, low = (coder.rates.scale(coder.analyse(crop), 100.0) for coder in coders if coder.rates)
    assert 0 < (exact - low).square().mean().sqrt() < 0.01
    sizes = [len(glic_pyg.encode(crop, quality=80, precision=p)) for p in ("float32", "bf16")]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)
