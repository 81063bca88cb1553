"""A large picture within the memory that is promised."""

import json
import subprocess
import sys

import pytest

from glic_pyg.codec.library import shipped_names

PROMISED = 4e9  # bytes

PROGRAM = """
import json, resource
import numpy as np
from glic_pyg.codec.library import default_name, load_shipped
from glic_pyg.inspection.graph_numbers import graph_numbers
from glic_pyg.inspection.inspection import inspect_picture

rows, columns = np.mgrid[0:1365, 0:2048]
photo = np.stack([rows % 256, columns % 256, (rows * columns) // 99 % 256], axis=-1).astype(np.uint8)
seen = inspect_picture(load_shipped(default_name()).model, photo)
edges = sum(numbers.edges for numbers in graph_numbers(seen))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"edges": edges, "peak": peak}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not shipped_names(), reason="no weights are shipped")
def test_two_thousand_pixels_within_four_gigabytes() -> None:
    """In a process of its own: 2048 x 1365 pixels, all graphs, what all layers read, and their numbers."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["edges"] > 20e6 and found["peak"] < PROMISED
