"""What a loader hands to the module."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Pictures or crops of them, with the names that error messages need.

    A named tuple of a tensor and of strings, which survives collation, pinning and Lightning's transfer to
    the device (they may turn the inner tuples into lists).

    Attributes:
        x: (B, 3, H, W); uint8 from the loader, float32 in [0, 1] once it is on the device.
        names: of the B pictures, e.g. ``photos/cat.png`` or ``train-000.tar!cat.jpg``.
        unreadable: one line for each picture that could not be decoded, and was replaced by another,
            while this batch was made.
    """

    x: Tensor
    names: Sequence[str]
    unreadable: Sequence[str] = ()
