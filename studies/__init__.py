"""Experiments behind docs/: ablations, the regularizer, results on test sets, and shipped weights."""

import glic_pyg  # noqa: F401  (first: it makes compressai and lightning importable)
