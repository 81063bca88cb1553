"""MLIC++: a codec whose strength is its entropy model (arXiv 2307.15421)."""

from glic_pyg.models.mlicpp.model import MLICpp

__all__ = ["MLICpp"]
