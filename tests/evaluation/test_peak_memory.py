import subprocess
import sys

import numpy as np
import pytest

from glic_pyg.evaluation.peak_memory import PeakMemory, added_memory, note_tool

ALONE = """
import numpy as np
from glic_pyg.evaluation.peak_memory import PeakMemory
found = []
for size in (1, 2**24, 1):  # 128 MiB between two small ones
    with PeakMemory() as peak:
        np.ones(size).sum()
    found.append(peak.bytes)
print(*found)
"""


def test_what_was_held_and_given_back_counts() -> None:
    """In a process of its own, where nobody else gives memory back."""
    before, peak, after = subprocess.check_output([sys.executable, "-c", ALONE], text=True).split()
    if before == "None":
        pytest.skip("this system does not tell")
    assert int(peak) - int(before) > 100 * 2**20
    assert int(after) < int(peak) - 50 * 2**20


def test_tools_are_charged_themselves() -> None:
    with PeakMemory() as peak:
        for size in (3000, 7000, 5000):
            note_tool(size)
    assert peak.bytes == 7000
    note_tool(1)  # nobody measures: nothing happens


def test_memory_that_is_freed_again_is_seen() -> None:
    size = 200 * 2**20
    assert added_memory(lambda: np.ones(size // 8)) == pytest.approx(size, rel=0.1)
    assert added_memory(lambda: np.ones(10)) < 0.1 * size
