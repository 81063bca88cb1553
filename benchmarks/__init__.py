"""What `make bench` runs, and studies."""

import glic_pyg  # noqa: F401  (first: it makes compressai and lightning importable)
