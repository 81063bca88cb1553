"""Put trained weights into the package, with a card that says how they came to be and what they reach.

python -m benchmarks.ship runs/NAME/glic_xs.safetensors NAME --numbers JSON --data "..." --recipe "..."
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import glic_pyg
from glic_pyg.models.weights import load_weights, read_card, save_weights, weights_hash

__all__ = ["main"]

WEIGHTS = Path(glic_pyg.__file__).parent / "weights"
LARGEST_FILE = 16 * 2**20

_SENTENCES = ("name", "measured", "data", "recipe")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the weights and their card; 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the file that training exported")
    parser.add_argument("name", help="what files made with these weights will call them")
    parser.add_argument("--numbers", type=Path, required=True, help="JSON of glic compare with these weights")
    parser.add_argument("--recipe", required=True, help="one sentence: what the settings do not tell")
    parser.add_argument("--data", required=True, help="one sentence: the training pictures and their licence")
    args = parser.parse_args(argv)
    model = load_weights(args.run)
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
    target.with_suffix(".md").write_text(card_page(card), encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size:,} bytes, hash {card['weights_hash'][:16]}")
    return 0


def card_page(card: Mapping[str, Any]) -> str:
    """The card as a Markdown page."""
    facts = {k: v for k, v in card.items() if k not in _SENTENCES}
    lines = [
        f"# {card['name']}",
        "",
        f"Training pictures: {card['data']}",
        "",
        f"Recipe: {card['recipe']}",
        "",
    ]
    lines += [
        "| fact | value |",
        "|---|---|",
        *(f"| {key} | {_short(value)} |" for key, value in facts.items()),
    ]
    means = card["measured"]["means"]
    columns = [key for key, value in means[0].items() if isinstance(value, str | int | float)]
    lines += ["", f"Measured by `{card['measured']['how']}`:", ""]
    lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(_short(mean[key]) for key in columns) + " |" for mean in means]
    return "\n".join(lines) + "\n"


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    raise SystemExit(main())
