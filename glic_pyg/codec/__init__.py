"""Bytes: images to ``.glic`` files and back. ``docs/format.md`` describes the file."""

from glic_pyg.runtime import declare_torchvision_operators

declare_torchvision_operators()  # else CompressAI cannot be imported beside some builds of torch
