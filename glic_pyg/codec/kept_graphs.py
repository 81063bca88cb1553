"""Graphs that outlive a call: the latents of a search change little from step to step.

Building graphs is a fifth of a step, and a search gains as much with graphs that are up to 25 steps old.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from glic_pyg.graph import Builder, Graph
from glic_pyg.nn import GFABlock

__all__ = ["KeptGraphs"]


class KeptGraphs:
    """Makes the GFA blocks of a model reuse the graphs of their last call until told to forget them.

    A learned complexity has gradients of its own, and graphs in the entropy model decide what a latent costs:
    these are built in every call.

    Args:
        model: changed; give a twin on the same memory (:func:`~glic_pyg.models.coding.frozen`).
    """

    def __init__(self, model: nn.Module) -> None:
        self._builders: list[_KeepingBuilder] = []
        for block in model.modules():
            if isinstance(block, GFABlock) and block.complexity is None:
                block.builder = _KeepingBuilder(block.builder)
                self._builders.append(block.builder)

    def forget(self) -> None:
        """Let the next call build them anew."""
        for builder in self._builders:
            builder.graphs = None

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Build graphs in every call, as a model does; afterwards those that were kept are back."""
        kept = [builder.graphs for builder in self._builders]
        self.forget()
        try:
            yield
        finally:
            for builder, graphs in zip(self._builders, kept, strict=True):
                builder.graphs = graphs


class _KeepingBuilder:
    """A builder that builds once.

    Attributes:
        graphs: what was built; ``None`` lets the next call build.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self.graphs: Mapping[str, Graph] | None = None

    def __call__(self, x: Tensor) -> Mapping[str, Graph]:
        if self.graphs is None:
            self.graphs = self._builder(x)
        return self.graphs
