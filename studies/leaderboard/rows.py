"""The rows of the leaderboard: published curves, and ours as ``make results`` measured them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bench import HEADER
from benchmarks.case import build_model
from benchmarks.flops import glic_flops
from glic_pyg.cli.hydra import compose_option
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.bd_rate import Delta, bd_rate, delta_or_none
from glic_pyg.evaluation.curves import SET_SIZES, Curve
from glic_pyg.evaluation.published import ANCHORS, PublishedCurve, published_curves
from glic_pyg.models.weights import read_card
from studies.leaderboard.field import DecoderCost, decoder_cost
from studies.rate_distortion import SEARCHED
from studies.shipping.ship import WEIGHTS

__all__ = ["OUR_SIZES", "SETS", "Row", "Size", "leaderboard_rows", "measured_curves", "our_sizes", "size_of"]

SETS = ("kodak", "clic-pro-valid", "tecnick")
OUR_SIZES = ("glic", "glic_m", "glic_cpu", "glic_s", "glic_xs", "glic_xxs")
WIDTH, HEIGHT = 768, 512
_RESULTS = "results-kodak.html"


@dataclass(frozen=True)
class Size:
    """What a size of ours costs, for an image of 768x512.

    Attributes:
        name: of ``conf/model``.
        parameters: how many it has.
        encode, decode: multiply-adds, by the formula of ``benchmarks/flops.py``.
        measured: seconds and memory from docs/results.md, by the name of the column; may be empty.
    """

    name: str
    parameters: int
    encode: float
    decode: float
    measured: Mapping[str, str] = field(default_factory=dict)

    @property
    def cost(self) -> DecoderCost:
        """Of the decoder."""
        kmac = self.decode / (WIDTH * HEIGHT) / 1e3
        return DecoderCost(kmac, kmac, False, ("benchmarks/flops.py, counted here",))


@dataclass(frozen=True)
class Row:
    """One codec.

    Attributes:
        name: of the codec.
        measured: here, and not published by others.
        deltas: BD-rates by data set, against each of its anchors; ``None`` where there is none.
        cost: of the decoder, if it is known.
        cost_counted: the cost is counted here, whoever measured the curve.
        curves: by data set.
    """

    name: str
    measured: bool
    deltas: Mapping[str, tuple[Delta | None, ...]]
    cost: DecoderCost | None
    cost_counted: bool
    curves: Mapping[str, Curve]

    @property
    def first(self) -> float | None:
        """BD-rate on Kodak against the first anchor."""
        found = self.deltas.get("kodak", (None,))[0]
        return None if found is None else found.value

    @property
    def sources(self) -> str:
        """Where the first curve is from, then those from other places, with their data sets."""
        (_, first), *others = self.curves.items()
        place = first.source.partition(",")[0]
        more = [f"{name}: {c.source}" for name, c in others if c.source.partition(",")[0] != place]
        return "; ".join([first.source, *more])


def measured_curves(docs: Path) -> list[Curve]:
    """What ``make results`` measured on Kodak, from the page of curves that it left in the docs.

    Raises:
        GlicError: it is not there, is no such page, or is not of the 24 images.
    """
    page = docs / "images" / _RESULTS
    try:
        text = page.read_text(encoding="utf-8")
        curves = json.loads(re.search(r"const data = (.*);\n", text)[1])["curves"]  # type: ignore[index]
        images = int(re.search(r"<title>Mean of the (\d+) Kodak images", text)[1])  # type: ignore[index]
    except (OSError, TypeError, ValueError, KeyError):
        raise GlicError(f"{page} is no page of curves that make results wrote; run it first.") from None
    if images != SET_SIZES["kodak"]:
        raise GlicError(f"{page} is of {images} images; published means are over {SET_SIZES['kodak']}.")
    return [
        Curve(
            curve["name"],
            tuple(rate for rate, _ in curve["psnr"]),
            tuple(psnr for _, psnr in curve["psnr"]),
            None,
            "measured here: docs/results.md, make results",
            "kodak",
        )
        for curve in curves
        if curve["source"] == "measured here"
    ]


def size_of(weights: str) -> str:
    """The size, an option of ``conf/model``, that shipped weights are of, by their card; else their name."""
    name = weights.partition(SEARCHED)[0]
    path = WEIGHTS / f"{name}.safetensors"
    return str(read_card(path)["model"]) if path.is_file() else name


def our_sizes(docs: Path, names: Sequence[str] = OUR_SIZES) -> list[Size]:
    """Our sizes, counted; with what docs/results.md says about their time and memory."""
    times = _benchmarks(docs / "results.md")
    sizes = []
    for name in names:
        flops = glic_flops(compose_option("model", name), HEIGHT, WIDTH)
        encode, decode = flops.analysis + flops.encode_networks, flops.synthesis + flops.decode_networks
        parameters = sum(p.numel() for p in build_model(name).parameters())
        sizes.append(Size(name, parameters, encode / 2, decode / 2, times.get(name, {})))
    return sizes


def leaderboard_rows(measured: Sequence[Curve], sizes: Sequence[Size]) -> list[Row]:
    """All codecs that have a BD-rate anywhere, by that on Kodak; those without one there come last.

    Args:
        measured: curves on Kodak.
        sizes: ours.
    """
    costs = {size.name: size.cost for size in sizes}
    rows = [
        Row(c.name, True, {"kodak": _deltas(c, "kodak")}, cost, cost is not None, {"kodak": c})
        for c, cost in ((c, costs.get(size_of(c.name))) for c in measured)
    ]
    published: dict[str, dict[str, PublishedCurve]] = {}
    for data_set in SETS:
        for name, curve in published_curves(data_set).items():
            published.setdefault(name, {})[data_set] = curve
    for name, curves in published.items():
        deltas = {data_set: _deltas(curve, data_set) for data_set, curve in curves.items()}
        ours = name == "GLIC"  # its authors' own table of complexity could not be read
        cost = costs.get("glic") if ours else decoder_cost(name)
        rows.append(Row(name, False, deltas, cost, ours and cost is not None, curves))
    return sorted(rows, key=lambda row: (row.first is None, row.first or 0, row.name))


def _deltas(curve: Curve, data_set: str) -> tuple[Delta | None, ...]:
    anchors = [published_curves(data_set)[name] for name in ANCHORS[data_set]]
    return tuple(delta_or_none(bd_rate, anchor, curve) for anchor in anchors)


def _benchmarks(page: Path) -> dict[str, dict[str, str]]:
    """Rows of ``python -m benchmarks`` in a page, of our image size and float32, by model; cells by column.

    The two columns after one that ends in "encode" are of decoding: so are they named here.
    """
    columns = [
        f"{HEADER[number - 1].removesuffix('encode')}decode" if name == "decode" else name
        for number, name in enumerate(HEADER)
    ]
    rule = "| " + " | ".join(HEADER) + " |"
    _, found, rest = (page.read_text(encoding="utf-8") if page.is_file() else "").partition(rule)
    rows: dict[str, dict[str, str]] = {}
    for line in rest.split("\n\n")[0].splitlines() if found else ():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if len(cells) == len(columns) and cells[1:3] == [f"{WIDTH}×{HEIGHT}", "float32"]:
            rows[cells[0]] = dict(zip(columns, cells, strict=True))
    return rows
