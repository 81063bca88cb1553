"""The weights in the package: whole, small, as their cards say, and decoding what they encoded elsewhere."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import glic_pyg
from glic_pyg.codec import library
from glic_pyg.codec.file_info import open_info
from glic_pyg.codec.library import check_shipped, default_name, load_shipped, shipped_names
from glic_pyg.codec.tables import factorized_parts
from glic_pyg.errors import WeightsNotFound
from glic_pyg.evaluation.baselines.pillow import JPEG
from glic_pyg.evaluation.measure import quality_of
from glic_pyg.evaluation.rate_matching import at_least

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "glic_pyg" / "weights"
LARGEST_FILE, LARGEST_SUM = 16 * 2**20, 64 * 2**20
GOLDEN_FILES = sorted((ROOT / "tests" / "reference").glob("dog*.glic"))
GOLDEN_TABLES = {
    "glic_s": "54cbafaeb912f0e2aeeca7d3ad2adb5edc51058e770fe7ec257384aca45c6b65",
    "glic_xs": "815599e2075011d4373e49266a03049c32e5c4503fcb2505c84a2742edf944e9",
}


@pytest.fixture(scope="module")
def dog() -> np.ndarray:
    return np.asarray(Image.open(ROOT / "data" / "samples" / "dog.png").convert("RGB"))


@pytest.mark.parametrize("name", shipped_names())
def test_weights_are_what_their_card_says(name: str) -> None:
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= LARGEST_FILE
    assert check_shipped(name) in (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def test_together_they_are_small() -> None:
    assert shipped_names()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= LARGEST_SUM


def test_the_default_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_name() == library.DEFAULT_NAME in shipped_names()
    monkeypatch.setattr(library, "shipped_names", lambda: ("other",))
    with pytest.raises(WeightsNotFound, match=f"lacks its default weights '{library.DEFAULT_NAME}'"):
        default_name()


@pytest.mark.parametrize("golden", GOLDEN_FILES, ids=lambda path: path.stem)
def test_a_file_made_elsewhere_decodes(golden: Path, dog: np.ndarray) -> None:
    """Its checksum of the latents makes any disagreement an error."""
    decoded = np.asarray(glic_pyg.decode(golden.read_bytes()))
    assert quality_of(decoded, dog).psnr > 30


def test_there_is_a_file_of_all_weights() -> None:
    assert {open_info(path).model for path in GOLDEN_FILES} == {*shipped_names()}


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


@pytest.mark.parametrize("quality", [50, 100])
def test_bfloat16_costs_nothing_to_see(dog: np.ndarray, quality: float) -> None:
    """At most 0.02 dB, against which the bytes hardly change."""
    crop = dog[:192, :256]
    float32, bf16 = (glic_pyg.encode(crop, quality=quality, precision=p) for p in ("float32", "bf16"))
    assert len(bf16) == pytest.approx(len(float32), rel=0.002)
    exact, rough = glic_pyg.decode(float32), glic_pyg.decode(bf16, precision="bf16")
    psnrs = [quality_of(np.asarray(picture), crop).psnr for picture in (exact, rough)]
    assert psnrs[0] - psnrs[1] <= 0.02
