"""Put trained weights into the package, with a card that says how they came to be and what they reach.

python -m studies.shipping.ship RUN.safetensors --name NAME --numbers JSON --data "..." --recipe "..."
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import glic_pyg
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.tables import markdown_table, mean_cell
from glic_pyg.files import atomic_write, write_file
from glic_pyg.models.conditioning import fold
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import load_weights, read_card, round_weights, save_weights, weights_hash
from glic_pyg.training.extend_rates import extend_rates

__all__ = ["averaged", "card_page", "main"]


WEIGHTS = Path(glic_pyg.__file__).parent / "weights"
LARGEST_FILE = 16 * 2**20

_SENTENCES = ("name", "measured", "data", "recipe")
_COLUMNS: dict[str, tuple[str, str]] = {
    "codec": ("codec", ""),
    "setting": ("setting", ""),
    "size": ("bytes", ",.0f"),
    "bpp": ("bpp", ".3f"),
    "psnr": ("PSNR, dB", ".2f"),
    "ms_ssim": ("MS-SSIM", ".4f"),
    "ms_ssim_db": ("MS-SSIM, dB", ".2f"),
    "encode_seconds": ("encode, s", ".2f"),
    "decode_seconds": ("decode, s", ".2f"),
    "peak_memory": ("peak memory, MB", ".0f"),
}
"""Of :class:`glic_pyg.evaluation.summary.Mean`: titles with units, and how numbers are written."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the weights and their card; 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.shipping.ship", description=__doc__.splitlines()[0]
    )
    parser.add_argument("run", type=Path, nargs="+", help="what training exported; several are averaged")
    parser.add_argument("--name", required=True, help="what files made with these weights will call them")
    parser.add_argument("--numbers", type=Path, required=True, help="JSON of glic compare with these weights")
    parser.add_argument("--recipe", required=True, help="one sentence: what the settings do not tell")
    parser.add_argument("--data", required=True, help="one sentence: the training images and their licence")
    parser.add_argument("--highest", type=float, metavar="LMBDA", help="extend the best quality to it")
    parser.add_argument("--float16", action="store_true", help="round to float16: half the bytes")
    args = parser.parse_args(argv)
    try:
        model = averaged([load_weights(run) for run in args.run])
    except GlicError as error:
        print(f"ship: {error}", file=sys.stderr)
        return 1
    if args.highest is not None:
        extend_rates(model, args.highest)
    dtype = torch.float16 if args.float16 else torch.float32
    round_weights(model, dtype)
    numbers = json.loads(args.numbers.read_text(encoding="utf-8"))
    card = {**read_card(args.run[-1]), "name": args.name, "data": args.data, "recipe": args.recipe}
    card["weights_hash"] = weights_hash(model)
    card["parameters"] = sum(p.numel() for p in model.parameters())
    own = [mean for mean in numbers["mean"] if mean["codec"] == args.name]
    card["measured"] = {"how": numbers["command"], "means": own}
    target = WEIGHTS / f"{args.name}.safetensors"
    try:
        with atomic_write(target) as place:
            save_weights(place, model, card, dtype)
            if place.stat().st_size > LARGEST_FILE:
                raise GlicError(f"{args.name} is larger than {LARGEST_FILE >> 20} MiB and was not shipped.")
    except GlicError as error:
        print(f"ship: {error}", file=sys.stderr)
        return 1
    write_file(target.with_suffix(".md"), card_page(card))
    print(f"{target.name}: {target.stat().st_size:,} bytes, hash {card['weights_hash'][:16]}")
    return 0


@torch.no_grad()
def averaged(models: Sequence[nn.Module]) -> Any:
    """The last model with the mean of the parameters of all, which have one architecture.

    Weights of one run, or of runs that share their beginning, average to better ones than each. If only
    some are conditioned, their fixed factors become part of the weights first, see
    :func:`~glic_pyg.models.conditioning.fold`.

    Raises:
        GlicError: parameters that training leaves alone (fixed factors) differ, so that weights behind them
            mean different things.
    """
    conditioned = [isinstance(model, GLIC) and model.config["conditioned"] for model in models]
    if any(conditioned) and not all(conditioned):
        models = [
            fold(model) if isinstance(model, GLIC) and model.config["conditioned"] else model
            for model in models
        ]
    states = [dict(model.named_parameters()) for model in models]
    for name, parameter in models[-1].named_parameters():
        if not parameter.requires_grad and any(not state[name].equal(parameter) for state in states):
            raise GlicError(f"These weights have no mean: they differ in {name}, which is not trained.")
        parameter.copy_(torch.stack([state[name].double() for state in states]).mean(0))
    return models[-1]


def card_page(card: Mapping[str, Any]) -> str:
    """The card as a Markdown page."""
    facts = [(key, _fact(value)) for key, value in card.items() if key not in _SENTENCES]
    measured = card["measured"]
    header = [title for title, _ in _COLUMNS.values()]
    rows = [[_cell(mean, key) for key in _COLUMNS] for mean in measured["means"]]
    parts = [
        f"# {card['name']}",
        f"Training images: {card['data']}",
        f"Recipe: {card['recipe']}",
        markdown_table(("fact", "value"), facts, left=2),
        f"Measured by `{measured['how']}`, means over its images:",
        markdown_table(header, rows, left=2),
    ]
    return "\n\n".join(parts) + "\n"


def _fact(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(mean: Mapping[str, Any], key: str) -> str:
    """One number of a mean as JSON has it, where an infinite PSNR is null."""
    value, form = mean.get(key), _COLUMNS[key][1]
    if isinstance(value, str):
        return value
    if value is None and (key == "psnr" or (key == "ms_ssim_db" and mean["ms_ssim"] is not None)):
        value = math.inf
    if key == "peak_memory" and value is not None:
        value /= 1e6
    images = mean.get("images", 0)
    return mean_cell(value, form, mean.get(f"{key}_images", images), images)


if __name__ == "__main__":
    raise SystemExit(main())
