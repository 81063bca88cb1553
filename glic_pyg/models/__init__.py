"""Codec models: GLIC, MLIC++ and four published backbones behind one base class, their weights and coding."""
