"""The test pictures: Kodak, and what is far from photographs in a folder a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glic_pyg.codec.errors import GlicError
from glic_pyg.codec.picture_file import read_picture
from glic_pyg.data.catalogue import build_catalogue

__all__ = ["TestSet", "find_sets"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class TestSet:
    """Pictures that are averaged together.

    Attributes:
        name: ``"kodak"``, or of the folder.
        files: in the order of their names.
        side: of larger pictures only the centre is used, at most so many pixels high and wide; ``None`` for
            all of them.
    """

    __test__ = False  # it is no test, whatever pytest makes of its name

    name: str
    files: tuple[Path, ...]
    side: int | None = None

    def pixels(self, file: Path) -> Pixels:
        """Colours of a picture, uint8 (H, W, 3), or (H, W) of a grey one; alpha is left out."""
        colour = read_picture(file.read_bytes()).colour
        if self.side is None:
            return colour
        top, left = (max(0, (size - self.side) // 2) for size in colour.shape[:2])
        return np.ascontiguousarray(colour[top : top + self.side, left : left + self.side])


def find_sets(kodak: Path, ood: Path, side: int | None) -> tuple[TestSet | None, list[TestSet]]:
    """Kodak, if it is there, and a set for each folder inside ``ood``.

    Args:
        kodak, ood: folders.
        side: see :class:`TestSet`; Kodak's pictures are always used whole.

    Raises:
        GlicError: neither is there.
    """
    photographs = TestSet("kodak", _pictures(kodak)) if kodak.is_dir() else None
    folders = sorted(path for path in ood.iterdir() if path.is_dir()) if ood.is_dir() else []
    if photographs is None and not folders:
        raise GlicError(f"There is nothing to measure on: neither {kodak} nor folders in {ood} exist.")
    return photographs, [TestSet(folder.name, _pictures(folder), side) for folder in folders]


def _pictures(folder: Path) -> tuple[Path, ...]:
    """Files of a folder; Kodak's would be compared with means over all of them."""
    found: Sequence[Path] = [file.path for file in build_catalogue(folder).files]
    return tuple(found)
