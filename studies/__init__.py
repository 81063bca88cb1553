"""Experiments behind docs/: ablations, the regularizer, results on test sets, and shipped weights."""

from glic_pyg import runtime

runtime.prepare()  # before torch allocates anything
