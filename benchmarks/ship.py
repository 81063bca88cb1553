"""Put trained weights into the package, with a card that says how they came to be and what they reach.

python -m benchmarks.ship runs/NAME/glic_xs.safetensors NAME --numbers JSON --data "..." --recipe "..."
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import glic_pyg
from glic_pyg.evaluation.markdown_table import markdown_table
from glic_pyg.files import write_file
from glic_pyg.models.weights import load_weights, read_card, save_weights, weights_hash
from glic_pyg.training.extend_rates import extend_rates

__all__ = ["card_page", "main"]

WEIGHTS = Path(glic_pyg.__file__).parent / "weights"
LARGEST_FILE = 16 * 2**20

_SENTENCES = ("name", "measured", "data", "recipe")
_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "codec": ("codec", str),
    "setting": ("setting", str),
    "size": ("bytes", "{:,.0f}".format),
    "bpp": ("bpp", "{:.3f}".format),
    "psnr": ("PSNR, dB", "{:.2f}".format),
    "ms_ssim": ("MS-SSIM", "{:.4f}".format),
    "ms_ssim_db": ("MS-SSIM, dB", "{:.2f}".format),
    "encode_seconds": ("encode, s", "{:.2f}".format),
    "decode_seconds": ("decode, s", "{:.2f}".format),
    "peak_memory": ("peak memory, MB", lambda size: f"{size / 1e6:.0f}"),
}
"""Of ``glic_pyg.evaluation.summary.Mean``: titles with units, and how numbers are written."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the weights and their card; 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the file that training exported")
    parser.add_argument("name", help="what files made with these weights will call them")
    parser.add_argument("--numbers", type=Path, required=True, help="JSON of glic compare with these weights")
    parser.add_argument("--recipe", required=True, help="one sentence: what the settings do not tell")
    parser.add_argument("--data", required=True, help="one sentence: the training pictures and their licence")
    parser.add_argument("--highest", type=float, metavar="LMBDA", help="extend the best quality to it")
    args = parser.parse_args(argv)
    model = load_weights(args.run)
    if args.highest is not None:
        extend_rates(model, args.highest)
    numbers = json.loads(args.numbers.read_text(encoding="utf-8"))
    card = {**read_card(args.run), "name": args.name, "data": args.data, "recipe": args.recipe}
    card["weights_hash"] = weights_hash(model)
    card["parameters"] = sum(p.numel() for p in model.parameters())
    card["measured"] = {"how": numbers["command"], "means": numbers["mean"]}
    target = WEIGHTS / f"{args.name}.safetensors"
    save_weights(target, model, card)
    if target.stat().st_size > LARGEST_FILE:
        target.unlink()
        print(f"{args.name} is larger than {LARGEST_FILE >> 20} MiB and was not shipped.", file=sys.stderr)
        return 1
    write_file(target.with_suffix(".md"), card_page(card))
    print(f"{target.name}: {target.stat().st_size:,} bytes, hash {card['weights_hash'][:16]}")
    return 0


def card_page(card: Mapping[str, Any]) -> str:
    """The card as a Markdown page."""
    facts = [(key, _fact(value)) for key, value in card.items() if key not in _SENTENCES]
    measured = card["measured"]
    header = [title for title, _ in _COLUMNS.values()]
    rows = [[_cell(mean.get(key), key) for key in _COLUMNS] for mean in measured["means"]]
    parts = [
        f"# {card['name']}",
        f"Training pictures: {card['data']}",
        f"Recipe: {card['recipe']}",
        markdown_table(("fact", "value"), facts, left=2),
        f"Measured by `{measured['how']}`, means over its pictures:",
        markdown_table(header, rows, left=2),
    ]
    return "\n\n".join(parts) + "\n"


def _fact(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(value: Any, key: str) -> str:
    return "–" if value is None else _COLUMNS[key][1](value)


if __name__ == "__main__":
    raise SystemExit(main())
