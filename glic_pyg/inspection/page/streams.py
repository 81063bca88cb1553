"""Binary data inside an HTML page."""

from __future__ import annotations

import zlib
from base64 import b64encode

import numpy as np
from numpy.typing import NDArray

__all__ = ["Streams"]


class Streams:
    """Numbered pieces of binary data that a page carries, each read only when it is wanted.

    An array travels little-endian and deflated, for ``DecompressionStream``; all travel in base64, which
    costs a third of their size and survives every editor, server and mail program.

    Args:
        name: of these pieces in the page, unlike that of others.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._texts: list[str] = []

    @property
    def size(self) -> int:
        """Bytes of the page that the pieces take."""
        return sum(map(len, self._texts))

    def add_array(self, values: NDArray[np.generic]) -> int:
        """Number of the piece that holds these values, row-major."""
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        return self.add_bytes(zlib.compress(little.tobytes(), 6))

    def add_bytes(self, data: bytes) -> int:
        """Number of the piece that holds these bytes as they are."""
        self._texts.append(b64encode(data).decode("ascii"))
        return len(self._texts) - 1

    def html(self) -> str:
        """The script elements that hold the pieces; browsers run none of them."""
        return "\n".join(
            f'<script type="text/plain" id="{self.name}-{number}">{text}</script>'
            for number, text in enumerate(self._texts)
        )
