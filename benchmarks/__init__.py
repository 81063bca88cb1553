"""What `make bench` runs: time, memory, and whether files decode anywhere."""

import glic_pyg  # noqa: F401  (first: it makes compressai and lightning importable)
