"""Codec models: GLIC, MLIC++ and four published backbones behind one base class, their weights and coding."""

from glic_pyg.runtime import declare_torchvision_operators

declare_torchvision_operators()  # else CompressAI cannot be imported beside some builds of torch
