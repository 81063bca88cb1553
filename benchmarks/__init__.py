"""What `make bench` runs: time, memory, and whether files decode anywhere."""

from glic_pyg import runtime

runtime.prepare()  # before torch allocates anything
