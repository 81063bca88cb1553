"""What ``glic test`` measures: pictures, our weights, and classical codecs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from glic_pyg.cli.console import say
from glic_pyg.cli.trained_weights import find_weights, title_of
from glic_pyg.errors import GlicError

if TYPE_CHECKING:
    from torch import nn

    from glic_pyg.codec.image_codec import Decoded, Encoded, ImageCodec, Precision
    from glic_pyg.codec.rate_control import RateTarget
    from glic_pyg.data.image_file import ImageFile
    from glic_pyg.evaluation.baselines.base import Baseline
    from glic_pyg.types import Pixels

__all__ = ["TitledCodec", "classical_codecs", "learned_codecs", "pictures"]

_QUICK = ("jpeg", "jpeg2000", "webp", "avif", "jpegxl")
_FETCHED = ("kodak", "clic", "clic-test2021", "tecnick")


@dataclass
class TitledCodec:
    """A codec under a title for tables: its own name is written into every file and should stay short."""

    name: str
    codec: ImageCodec

    @property
    def variable_rate(self) -> bool:
        """Whether a quality can be asked for."""
        return self.codec.variable_rate

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the weights, hex."""
        from glic_pyg.models.weights import weights_hash

        return weights_hash(cast("nn.Module", self.codec.model))

    def encode(self, source: Pixels, *, target: RateTarget | None = None, estimate: bool = False) -> Encoded:
        """As the codec does."""
        return self.codec.encode(source, target=target, estimate=estimate)

    def decode(self, data: bytes) -> Decoded:
        """As the codec does."""
        return self.codec.decode(data)


def pictures(images: str, data: Path) -> list[ImageFile]:
    """The pictures of a data set, in the order of their names; unreadable ones are named.

    Args:
        images: a folder, a list of files, a tar shard; or the name of a folder in ``data``.
        data: folder of the data sets.

    Raises:
        GlicError: there is none of that name, or not one picture in it.
    """
    from glic_pyg.data.index import build_catalogue

    fetched = data / images
    if images in _FETCHED and not Path(images).exists() and not fetched.exists():
        raise GlicError(f"The data set {images} is not here; fetch it: glic data get {images} -o {fetched}")
    catalogue = build_catalogue(images if Path(images).exists() or not fetched.exists() else fetched)
    for line in catalogue.unreadable:
        say(f"glic test: {line}")
    if catalogue.left_out:
        say(f"glic test: {catalogue.left_out}")
    return list(catalogue.files)


def learned_codecs(
    weights: str | Sequence[str] | None, *, device: str, precision: Precision, max_pixels: int
) -> list[TitledCodec]:
    """A codec for each of the weights that are meant; for None, of the shipped ones."""
    from glic_pyg.codec.api import codec_for_encoding

    files = [None] if weights is None else find_weights(weights)
    found = []
    for path in files:
        codec = codec_for_encoding(None, path, device=device, precision=precision, max_pixels=max_pixels)
        found.append(TitledCodec(codec.name if path is None else title_of(path), codec))
    return found


def classical_codecs(wanted: str | Sequence[str]) -> list[Baseline]:
    """The codecs to compare with; those that are not installed are named and left out.

    Args:
        wanted: ``quick``, ``all``, ``none``, or names.

    Raises:
        GlicError: there is no codec of a name.
    """
    from glic_pyg.evaluation.baselines import BASELINES

    groups = {"none": (), "quick": _QUICK, "all": tuple(BASELINES)}
    names = groups.get(wanted, (wanted,)) if isinstance(wanted, str) else wanted
    if unknown := [name for name in names if name not in BASELINES]:
        known = ", ".join((*groups, *BASELINES))
        raise GlicError(f"There is no codec {unknown[0]}; there are {known}.")
    found = []
    for codec in (BASELINES[name] for name in names):
        if needed := codec.missing():
            say(f"glic test: {codec.title} is left out; it needs {needed}")
        else:
            found.append(codec)
    return found
