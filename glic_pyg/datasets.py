"""PyG data sets: the images of a folder as graphs."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data, InMemoryDataset

from glic_pyg.data.image_file import SUFFIXES, ImageFile
from glic_pyg.errors import UnreadableImage
from glic_pyg.transforms import FeatureMapToGraph

__all__ = ["ImageGraphs"]


class ImageGraphs(InMemoryDataset):
    """The images below ``root/raw`` as graphs; the folder that an image lies in is its class.

    Graphs are built once and kept in ``root/processed``; another ``to_graph`` or another set of files builds
    them again. A file that cannot be read is named in a warning and left out.

    Args:
        root: holds ``raw``, with a folder of images a class, or images without one.
        to_graph: what makes a graph of an image.
        transform, pre_transform, pre_filter, force_reload: of PyG's ``InMemoryDataset``.

    Attributes:
        classes: names of the folders, in alphabetical order.

    Each graph has the attributes that docs/graphs.md lists, ``y`` (1,) int64, place in ``classes``, and
    ``name``, path of the image below ``raw``.

    Raises:
        FileNotFoundError: there is no image below ``root/raw``.
    """

    def __init__(
        self,
        root: str | Path,
        to_graph: FeatureMapToGraph | None = None,
        transform: Callable[[Data], Any] | None = None,
        pre_transform: Callable[[Data], Any] | None = None,
        pre_filter: Callable[[Data], bool] | None = None,
        force_reload: bool = False,
    ) -> None:
        self.to_graph = to_graph or FeatureMapToGraph(patch=4, mean_degree=16)
        raw = Path(root) / "raw"
        self.files = sorted(p for p in raw.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not self.files:
            raise FileNotFoundError(
                f"there is no image below {raw}: put folders of images there, one a class"
            )
        self.classes = sorted({self._class(path, raw) for path in self.files})
        super().__init__(
            str(root), transform, pre_transform, pre_filter, log=False, force_reload=force_reload
        )
        self.load(self.processed_paths[0])

    @staticmethod
    def _class(path: Path, raw: Path) -> str:
        return path.parent.relative_to(raw).as_posix()

    @property
    def raw_file_names(self) -> list[str]:
        """Paths of the images below ``raw``."""
        return [path.relative_to(self.raw_dir).as_posix() for path in self.files]

    @property
    def processed_file_names(self) -> list[str]:
        """The file of graphs; its name follows the images and ``to_graph``."""
        sizes = [
            (name, path.stat().st_size) for name, path in zip(self.raw_file_names, self.files, strict=True)
        ]
        digest = hashlib.sha256(repr((self.to_graph, sizes)).encode()).hexdigest()[:12]
        return [f"graphs-{digest}.pt"]

    def process(self) -> None:
        """Build all graphs."""
        graphs = []
        for name, path in zip(self.raw_file_names, self.files, strict=True):
            try:
                graph = self.to_graph(ImageFile(path).decode())
            except UnreadableImage as error:
                warnings.warn(f"left out of the data set: {error}", stacklevel=2)
                continue
            graph.y = torch.tensor([self.classes.index(self._class(path, Path(self.raw_dir)))])
            graph.name = name
            if self.pre_filter is None or self.pre_filter(graph):
                graphs.append(graph if self.pre_transform is None else self.pre_transform(graph))
        self.save(graphs, self.processed_paths[0])
