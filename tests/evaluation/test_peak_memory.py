import gc

import numpy as np
import pytest

from glic_pyg.evaluation.peak_memory import PeakMemory, note_tool


def test_what_was_held_and_given_back_counts() -> None:
    gc.collect()  # what other tests left must not be given back in between
    with PeakMemory() as before:
        pass
    if before.bytes is None:
        pytest.skip("this system does not tell")
    with PeakMemory() as peak:
        np.ones(2**24).sum()  # 128 MiB
    with PeakMemory() as after:
        pass
    assert peak.bytes is not None and peak.bytes - before.bytes > 100 * 2**20
    assert after.bytes is not None and after.bytes < peak.bytes - 50 * 2**20


def test_tools_are_charged_themselves() -> None:
    with PeakMemory() as peak:
        for size in (3000, 7000, 5000):
            note_tool(size)
    assert peak.bytes == 7000
    note_tool(1)  # nobody measures: nothing happens
