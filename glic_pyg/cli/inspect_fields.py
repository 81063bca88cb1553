"""Receptive fields for the page and the figures, of photos whose gradients fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from glic_pyg.cli.console import say
from glic_pyg.cli.inspect_subjects import Subject
from glic_pyg.inspection.fields import ReceptiveFields, latent_grid, receptive_fields
from glic_pyg.inspection.figures import Pixel
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.models.base import LATENT_STRIDE
from glic_pyg.models.registry import architecture_name, build

__all__ = ["fields_of_training", "grid_of_fields", "small_enough"]

FIELD_PIXELS = 2**20
"""Gradients keep what g_a computed in memory; of larger photos there are no receptive fields."""


def grid_of_fields(subject: Subject, count: int) -> ReceptiveFields | None:
    """About ``count`` fields spread over the photo; None for a count of 0 or a photo that is too large."""
    if count < 1 or not small_enough(subject.seen):
        return None
    return receptive_fields(subject.model, subject.seen.image, latent_grid(*subject.seen.size, count))


def fields_of_training(subject: Subject, pixels: Sequence[Pixel]) -> dict[str, ReceptiveFields]:
    """Those at some rows and columns of the photo, of fresh weights and of the trained ones."""
    model, places = subject.model, [(row // LATENT_STRIDE, column // LATENT_STRIDE) for row, column in pixels]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untrained = build(architecture_name(model), model.config).eval().to(next(model.parameters()).device)
    return {
        title: receptive_fields(each, subject.seen.image, places)
        for title, each in (("untrained", untrained), ("trained", model))
    }


def small_enough(seen: Inspection) -> bool:
    """Whether gradients fit into memory; where they do not, a line on stderr says so."""
    small = seen.size[0] * seen.size[1] <= FIELD_PIXELS
    if not small:
        say(f"glic: {seen.name} is too large for receptive fields; left out.")
    return small
