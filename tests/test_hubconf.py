"""torch.hub finds the shipped weights, and files of one's own, in a checkout."""

from __future__ import annotations

import runpy
from pathlib import Path

import torch

from glic_pyg.codec.weights_store import shipped_names
from glic_pyg.models.base import Codec

ROOT = Path(__file__).parents[1]


def test_entries() -> None:
    hubconf = runpy.run_path(str(ROOT / "hubconf.py"))
    entries = {name for name, value in hubconf.items() if callable(value) and not name.startswith("_")}
    assert entries == {*shipped_names(), "load"}
    model = torch.hub.load(str(ROOT), "glic_xs", source="local")
    path = ROOT / "glic_pyg" / "weights" / "glic_xs.safetensors"
    again = torch.hub.load(str(ROOT), "load", str(path), source="local")
    assert isinstance(model, Codec) and not model.training
    assert all(map(torch.equal, model.parameters(), again.parameters()))
