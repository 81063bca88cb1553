"""The card of shipped weights, as a page."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest
import torch
from torch import nn

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.summary import Mean
from glic_pyg.nn import Rescale
from studies.shipping.ship import _COLUMNS, averaged, card_page

MEAN = Mean(
    "tiny", "quality 30", 24, 11327.25, 0.23047, 28.5359, 24, 0.92934, 20, None, 0,
    0.7947, 0.75126, 859_944_618.7,
)  # fmt: skip
CARD = {
    "lmbda": 0.00566, "parameters": 2_897_943, "weights_hash": "54d7", "name": "tiny", "data": "photographs",
    "recipe": "a night", "measured": {"how": "make results", "means": [asdict(MEAN)]},
}  # fmt: skip


def test_numbers_are_readable_and_have_units() -> None:
    lines = card_page(CARD).splitlines()
    assert "| lmbda | 0.00566 |" in lines and "| parameters | 2,897,943 |" in lines
    header, _, row = lines[-3:]
    assert header.startswith(
        "| codec | setting | bytes | bpp | PSNR, dB | MS-SSIM | MS-SSIM, dB | encode, s |"
    )
    assert row == "| tiny | quality 30 | 11,327 | 0.230 | 28.54 | 0.9293 (of 20) | ∞ | 0.79 | 0.75 | 860 |"
    assert header.endswith("| peak memory, MB |")


def test_sentences_are_no_facts() -> None:
    page = card_page(CARD)
    assert page.startswith("# tiny\n\nTraining images: photographs\n\nRecipe: a night\n\n")
    assert "| recipe |" not in page and "Measured by `make results`" in page


def test_every_measured_number_has_a_column() -> None:
    assert list(_COLUMNS) == [name for field in fields(Mean) if "images" not in (name := field.name)]


def test_several_are_averaged() -> None:
    models = [nn.Linear(2, 3) for _ in range(3)]
    expected = [torch.stack(values).mean(0) for values in zip(*(m.parameters() for m in models), strict=True)]
    for parameter, value in zip(averaged(models).parameters(), expected, strict=True):
        torch.testing.assert_close(parameter, value)


def test_weights_behind_different_fixed_factors_have_no_mean() -> None:
    models = [nn.Sequential(Rescale(2), nn.Conv2d(2, 2, 1)) for _ in range(2)]
    averaged(models)
    models[0][0].set(torch.tensor([1.0, 0.25]))
    with pytest.raises(GlicError, match=r"differ in 0\.factor, which is not trained"):
        averaged(models)
